//! Seen elsewhere: `--flag False` is taken as true, an option that does not exist is ignored, a short form means another option.

use super::etnas;

fn help(command: &[&str]) -> String {
    let output = etnas(&[command, &["--help"]].concat()).output().unwrap();
    assert!(output.status.success(), "{command:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The subcommands that a help lists.
fn listed(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // What begins further to the right goes on with the line above.
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.filter_map(|line| Some(line.split_whitespace().next()?.to_string())).collect()
}

/// Every subcommand, those of `table` and `plot` one by one.
fn commands() -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for name in listed(&help(&[])) {
        let nested = listed(&help(&[&name]));
        match nested.is_empty() {
            true => all.push(vec![name]),
            false => all.extend(nested.into_iter().map(|inner| vec![name.clone(), inner])),
        }
    }
    assert!(all.len() >= 18, "{all:?}");
    all
}

/// Every long option that a subcommand's help tells, and whether it takes a value.
fn options(command: &[&str]) -> Vec<(String, bool)> {
    let help = help(command);
    // Words that explain stand further to the right.
    let beginning = |line: &&str| line.trim_start().starts_with('-') && !line.starts_with("       ");
    let told = help.lines().filter(beginning);
    let option = |line: &str| {
        let at = line.find("--")?;
        let name: String = line[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        Some((name.clone(), line[at + name.len()..].trim_start().starts_with('<')))
    };
    told.filter_map(option).collect()
}

/// The command ends with exit code 2 and says nothing but an error with these words.
#[track_caller]
fn refused(arguments: &[&str], part: &str) {
    let folder = tempfile::tempdir().unwrap();
    let output = etnas(arguments).current_dir(folder.path()).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{arguments:?}: {errors}");
    assert!(errors.starts_with("error: ") && errors.contains(part), "{arguments:?}: {part:?} is not in {errors}");
    assert_eq!(super::names(folder.path()), Vec::<String>::new(), "{arguments:?}");
}

#[test]
fn no_flag_takes_a_value() {
    let mut flags = 0;
    for command in commands() {
        let command: &[&str] = &command.iter().map(String::as_str).collect::<Vec<_>>();
        for (flag, _) in options(command).iter().filter(|(name, takes)| !takes && name != "--help") {
            for value in ["False", "no", "0", "true"] {
                refused(&[command, &[&format!("{flag}={value}")]].concat(), &format!("unexpected value '{value}'"));
            }
            flags += 1;
        }
    }
    assert!(flags >= 20, "{flags} flags");
    // A value apart is a cell that does not exist, or no argument at all.
    refused(&["score", "--quiet", "False", "5"], "\"False\"");
    refused(&["search", "--quiet", "False"], "unexpected argument 'False'");
}

#[test]
fn no_unknown_option_is_ignored_and_nothing_is_abbreviated() {
    let mut abbreviations = 0;
    for command in commands() {
        let command: &[&str] = &command.iter().map(String::as_str).collect::<Vec<_>>();
        refused(&[command, &["--no-such-option"]].concat(), "unexpected argument '--no-such-option'");
        refused(&[command, &["--no-such-option=1"]].concat(), "unexpected argument '--no-such-option'");
        refused(&[command, &["-Z"]].concat(), "unexpected argument '-Z'");
        let options = options(command);
        assert!(options.iter().any(|(name, _)| name == "--help"), "{command:?}: {options:?}");
        for (name, _) in &options {
            let short = &name[..name.len() - 1];
            if short.len() > 3 && options.iter().all(|(other, _)| other != short) {
                refused(&[command, &[short]].concat(), &format!("unexpected argument '{short}'"));
                abbreviations += 1;
            }
        }
    }
    assert!(abbreviations > 150, "{abbreviations} abbreviations");
    refused(&["serch"], "'search'");
}

#[test]
fn what_is_given_twice_against_itself_or_not_at_all_is_told() {
    refused(&["score", "5", "--batch", "2", "--batch", "3"], "cannot be used multiple times");
    refused(&["score", "5", "--quiet", "--quiet"], "cannot be used multiple times");
    refused(&["score"], "--sample");
    refused(&["score", "5", "--all"], "cannot be used with");
    refused(&["score", "--sample", "2", "--all"], "cannot be used with");
    // An option of another method is refused, not ignored.
    refused(&["search", "--method", "rea-naswot", "--cycles", "5"], "--cycles");
    refused(&["search", "--pool", "5"], "--pool");
}
