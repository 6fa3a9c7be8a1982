//! Pieces of JSON text.

use serde_json::{Map, Value};

/// An object from pairs, in their order.
pub fn object<const N: usize>(pairs: [(&str, Value); N]) -> Map<String, Value> {
    pairs.into_iter().map(|(key, value)| (key.to_string(), value)).collect()
}

/// Indented text that ends with a line break.
pub fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// `{"meta": …, "<key>": […]}`: the metadata indented, each of the list's objects on a line of its own.
pub fn with_metadata(meta: &Value, key: &str, list: &[Value]) -> String {
    let meta = format!("{meta:#}").replace('\n', "\n  ");
    let lines: Vec<String> = list.iter().map(|item| format!("\n    {item}")).collect();
    let close = if lines.is_empty() { "" } else { "\n  " };
    format!("{{\n  \"meta\": {meta},\n  \"{key}\": [{}{close}]\n}}\n", lines.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_layout_is_valid_json() {
        let meta = json!({"a": [1, {"b": "x\ny"}], "c": {}});
        for list in [vec![], vec![json!({"i": 1})], vec![json!({"i": 1}), json!({"i": null})]] {
            let text = with_metadata(&meta, "records", &list);
            let read: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(read, json!({"meta": meta, "records": list}), "{text}");
        }
    }
}
