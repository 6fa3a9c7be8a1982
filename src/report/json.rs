//! Pieces of JSON text.

use serde_json::{Map, Value};

/// An object from pairs, in their order.
pub fn object<const N: usize>(pairs: [(&str, Value); N]) -> Map<String, Value> {
    pairs.into_iter().map(|(key, value)| (key.to_string(), value)).collect()
}

/// Longest line that a list or an object is kept on.
const WIDTH: usize = 100;

/// Indented text that ends with a line break. A list or object that fits stays on one line; so does a row, an object of
/// plain values in a list, however long.
pub fn pretty(value: &Value) -> String {
    let mut text = String::new();
    put(value, 0, false, &mut text);
    text.push('\n');
    text
}

fn put(value: &Value, depth: usize, in_list: bool, text: &mut String) {
    let nested = |v: &Value| v.is_object() || v.is_array();
    let row = in_list && value.as_object().is_some_and(|map| !map.values().any(nested));
    let compact = value.to_string();
    if row || !nested(value) || (depth > 0 && 2 * depth + compact.len() <= WIDTH) {
        text.push_str(&compact);
        return;
    }
    let line = |text: &mut String, first: bool, depth: usize| {
        text.push_str(if first { "\n" } else { ",\n" });
        text.push_str(&"  ".repeat(depth));
    };
    let (open, close) = if value.is_object() { ('{', '}') } else { ('[', ']') };
    text.push(open);
    for (i, (key, item)) in value.as_object().into_iter().flatten().enumerate() {
        line(text, i == 0, depth + 1);
        text.push_str(&format!("{}: ", Value::from(key.as_str())));
        put(item, depth + 1, false, text);
    }
    for (i, item) in value.as_array().into_iter().flatten().enumerate() {
        line(text, i == 0, depth + 1);
        put(item, depth + 1, true, text);
    }
    line(text, true, depth);
    text.push(close);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_layout_is_the_same_json() {
        let long = "x\ny\"".repeat(60);
        let row = json!({"index": 1, "arch": long, "naswot": null});
        let meta = json!({"a": [1, {"b": long}, [[long]]], "c": {}, long.as_str(): "", "d": {"e": [1, 2]}});
        for value in
            [json!({"meta": meta, "records": [row, row]}), json!({}), json!([]), json!(1.5), json!([row, [long]])]
        {
            assert_eq!(serde_json::from_str::<Value>(&pretty(&value)).unwrap(), value);
        }
        let text = pretty(&json!({"meta": {"d": [1, 2]}, "records": [row, row]}));
        let expected = format!("{{\n  \"meta\": {{\"d\":[1,2]}},\n  \"records\": [\n    {row},\n    {row}\n  ]\n}}\n");
        assert_eq!(text, expected);
    }
}
