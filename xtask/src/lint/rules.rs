//! Rules for machine code, written as comments above kernels:
//! `// lint: registers<=128 LDG.128>=2 dynamic=32768`, `// lint[sm_80 sm_90]: HMMA>=16`.
//!
//! A rule is a word of [`Figures::metric`](super::figures::Figures::metric), an operator and a number. `dynamic=` is no rule: it
//! tells the bytes of shared memory that a launch adds.

use std::fmt;

use super::figures::{Figures, WORDS};
use super::occupancy::Multiprocessor;

/// What holds for every kernel whose own rules do not speak of it.
const DEFAULTS: [&str; 2] = ["spill=0", "local=0"];
const MARK: &str = "// lint";
const DYNAMIC: &str = "dynamic";

#[derive(Clone, Copy, Debug, PartialEq)]
enum Comparison {
    AtMost,
    AtLeast,
    Equal,
}

/// One comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    word: String,
    comparison: Comparison,
    bound: f64,
    /// `sm_80`, …; empty: all.
    architectures: Vec<String>,
}

impl Rule {
    fn parse(text: &str, architectures: &[String]) -> Result<Rule, String> {
        let operators = [("<=", Comparison::AtMost), (">=", Comparison::AtLeast), ("=", Comparison::Equal)];
        let parsed = operators.into_iter().find_map(|(operator, comparison)| {
            let (word, bound) = text.split_once(operator)?;
            let known = word == DYNAMIC || Figures::is_metric(word);
            Some(Rule {
                word: known.then(|| word.to_string())?,
                comparison,
                bound: bound.parse().ok()?,
                architectures: architectures.to_vec(),
            })
        });
        parsed.ok_or_else(|| {
            format!(
                "{text:?} is no rule: expected one of {}, {DYNAMIC} or an instruction such as LDG.128, then <=, >= or =, then a number",
                WORDS.join(", ")
            )
        })
    }

    fn holds_for(&self, architecture: &str) -> bool {
        self.architectures.is_empty() || self.architectures.iter().any(|name| name == architecture)
    }

    fn is_kept(&self, value: f64) -> bool {
        match self.comparison {
            Comparison::AtMost => value <= self.bound,
            Comparison::AtLeast => value >= self.bound,
            Comparison::Equal => value == self.bound,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let operator = match self.comparison {
            Comparison::AtMost => "<=",
            Comparison::AtLeast => ">=",
            Comparison::Equal => "=",
        };
        write!(f, "{}{operator}{}", self.word, self.bound)
    }
}

/// The rules of one kernel.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules(Vec<Rule>);

impl Rules {
    /// Bytes of shared memory that a launch adds.
    pub fn dynamic(&self, architecture: &str) -> u32 {
        let rules = self.0.iter().filter(|rule| rule.word == DYNAMIC && rule.holds_for(architecture));
        rules.map(|rule| rule.bound as u32).max().unwrap_or(0)
    }

    /// A text for each rule that is broken: `registers<=64, found 80`.
    pub fn broken(&self, figures: &Figures, architecture: &str, machine: &Multiprocessor) -> Vec<String> {
        let own = self.0.iter().filter(|rule| rule.word != DYNAMIC && rule.holds_for(architecture));
        let defaults = DEFAULTS.iter().filter_map(|text| Rule::parse(text, &[]).ok());
        let defaults = defaults.filter(|default| !own.clone().any(|rule| rule.word == default.word));
        let all: Vec<Rule> = own.clone().cloned().chain(defaults).collect();
        let broken = all.iter().filter_map(|rule| {
            let value = figures.metric(&rule.word, machine);
            (!rule.is_kept(value)).then(|| format!("{rule}, found {value}"))
        });
        broken.collect()
    }
}

/// The rules in a source, each with the name of the kernel they stand above: the first word below that `is_kernel` knows, outside
/// comments. What is wrong with them is added to `mistakes`, with file and line.
pub fn rules_of(
    file: &str,
    text: &str,
    is_kernel: impl Fn(&str) -> bool,
    mistakes: &mut Vec<String>,
) -> Vec<(String, Rules)> {
    let mut all: Vec<(String, Rules)> = Vec::new();
    let mut pending = Rules::default();
    let mut pending_line = 0;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_start();
        if let Some(rest) = line.strip_prefix(MARK).filter(|rest| rest.starts_with([':', '['])) {
            pending_line = index + 1;
            match parse_line(rest) {
                Ok(rules) => pending.0.extend(rules),
                Err(reason) => mistakes.push(format!("kernels/{file}:{pending_line}: {reason}.")),
            }
        }
        let code = line.split("//").next().unwrap_or_default();
        let mut words = code.split(|c: char| !c.is_alphanumeric() && c != '_');
        if let (false, Some(kernel)) = (pending.0.is_empty(), words.find(|word| is_kernel(word))) {
            all.push((kernel.to_string(), std::mem::take(&mut pending)));
        }
    }
    if !pending.0.is_empty() {
        mistakes.push(format!("kernels/{file}:{pending_line}: the rules stand above no kernel."));
    }
    all
}

/// What follows `// lint`: `: rule rule`, or `[sm_80 sm_90]: rule rule`.
fn parse_line(rest: &str) -> Result<Vec<Rule>, String> {
    let malformed = || "expected `// lint: rule …` or `// lint[sm_80 sm_90]: rule …`".to_string();
    let (selector, rules) = rest.split_once(':').ok_or_else(malformed)?;
    let architectures: Vec<String> = if selector.is_empty() {
        Vec::new()
    } else {
        let inside = selector.strip_prefix('[').and_then(|inside| inside.strip_suffix(']')).ok_or_else(malformed)?;
        inside.split([' ', ',']).filter(|name| !name.is_empty()).map(String::from).collect()
    };
    if let Some(unknown) = architectures.iter().find(|name| !super::ARCHITECTURES.iter().any(|known| known.1 == **name))
    {
        return Err(format!("unknown architecture {unknown:?}"));
    }
    // Spaces may stand around operators, commas between rules.
    let mut rules = rules.replace(',', " ");
    for operator in ["<=", ">=", "="] {
        for spaced in [format!(" {operator}"), format!("{operator} ")] {
            while rules.contains(&spaced) {
                rules = rules.replace(&spaced, operator);
            }
        }
    }
    rules.split_whitespace().map(|text| Rule::parse(text, &architectures)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::occupancy;
    use super::*;

    const TEXT: &str = "\
// lint: registers <= 64, LDG.128>=2
// lint[sm_80 sm_90]: HMMA>=1 dynamic=4096
// Not the kernel `other`, which stands below.
KERNEL(256) sample(const float* x) {}
MACRO(other)
// lint: local<=4
MACRO(third, 3)
";

    fn parsed(text: &str) -> (Vec<(String, Rules)>, Vec<String>) {
        let mut mistakes = Vec::new();
        (rules_of("a.cu", text, |word| ["sample", "other", "third"].contains(&word), &mut mistakes), mistakes)
    }

    #[test]
    fn rules_belong_to_the_kernel_below() {
        let (rules, mistakes) = parsed(TEXT);
        assert!(mistakes.is_empty(), "{mistakes:?}");
        let names: Vec<_> = rules.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["sample", "third"]);
        let sample = &rules[0].1;
        assert_eq!((sample.dynamic("sm_80"), sample.dynamic("sm_75")), (4096, 0));

        let instructions = ["LDG.E.128", "LDL"].map(String::from).into();
        let figures = Figures { registers: 65, threads: 256, instructions, ..Figures::default() };
        let machine = occupancy::multiprocessor(80).unwrap();
        assert_eq!(
            sample.broken(&figures, "sm_80", &machine),
            ["registers<=64, found 65", "LDG.128>=2, found 1", "HMMA>=1, found 0", "local=0, found 1"]
        );
        assert_eq!(
            sample.broken(&figures, "sm_75", &machine),
            ["registers<=64, found 65", "LDG.128>=2, found 1", "local=0, found 1"]
        );
        // A kernel's own rule takes the place of the one for all.
        assert!(rules[1].1.broken(&figures, "sm_80", &machine).is_empty());
        let spilled = Figures { spill: 4, ..figures };
        assert_eq!(rules[1].1.broken(&spilled, "sm_80", &machine), ["spill=0, found 4"]);
        assert_eq!(Rules::default().broken(&spilled, "sm_80", &machine), ["spill=0, found 4", "local=0, found 1"]);
    }

    #[test]
    fn mistakes_name_file_and_line() {
        let error = |text| parsed(text).1.join("");
        assert!(error("\n// lint: registers<64\nsample").starts_with("kernels/a.cu:2: \"registers<64\" is no rule"));
        assert!(error("// lint: speed>=3\nsample").contains("\"speed>=3\" is no rule"));
        assert!(error("// lint[sm_81]: spill=0\nsample").contains("unknown architecture \"sm_81\""));
        assert!(error("// lint[sm_80: spill=0\nsample").contains("expected `// lint: rule"));
        assert!(error("sample\n// lint: spill=0\n").contains("kernels/a.cu:2: the rules stand above no kernel"));
    }
}
