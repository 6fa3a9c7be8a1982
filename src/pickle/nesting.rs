//! The shape of what was read: how deep containers nest, and that none contains itself.

use super::value::{Object, Slot};

/// Not yet visited, and being visited; other marks are heights.
const UNSEEN: u32 = 0;
const OPEN: u32 = u32::MAX;

/// Refuses nesting beyond `depth` and containers that contain themselves, by a depth-first walk that visits each object once.
/// The error is what was expected and what was found.
pub(super) fn check(objects: &[Object], root: Slot, depth: u32) -> Result<(), (String, String)> {
    // The height of each finished object: 1 for a container without containers.
    let mut marks = vec![UNSEEN; objects.len()];
    let mut path: Vec<(usize, usize, u32)> = Vec::new();
    let too_deep = || (format!("values nested at most {depth} deep"), "deeper ones".to_string());
    let mut next = container(objects, root);
    loop {
        if let Some(number) = next.take() {
            match marks[number] {
                OPEN => return Err(("values that do not contain themselves".into(), "one that does".into())),
                UNSEEN => {
                    marks[number] = OPEN;
                    path.push((number, 0, 1));
                }
                height => {
                    if let Some((_, _, highest)) = path.last_mut() {
                        *highest = (*highest).max(height + 1);
                    }
                }
            }
        }
        let length = path.len();
        let Some((number, child, highest)) = path.last_mut() else { return Ok(()) };
        if length.saturating_add(*highest as usize - 1) > depth as usize {
            return Err(too_deep());
        }
        match children(&objects[*number], *child) {
            Some(slot) => {
                *child += 1;
                next = container(objects, slot);
            }
            None => {
                let (number, height) = (*number, *highest);
                marks[number] = height;
                path.pop();
                if let Some((_, _, above)) = path.last_mut() {
                    *above = (*above).max(height + 1);
                }
            }
        }
    }
}

fn container(objects: &[Object], slot: Slot) -> Option<usize> {
    let Slot::Object(number) = slot else { return None };
    let number = number as usize;
    let holds = matches!(objects.get(number)?, Object::List(_) | Object::Tuple(_) | Object::Set(_) | Object::Dict(_));
    holds.then_some(number)
}

fn children<'a>(object: &Object<'a>, child: usize) -> Option<Slot<'a>> {
    match object {
        Object::List(items) | Object::Set(items) => items.get(child).copied(),
        Object::Tuple(items) => items.get(child).copied(),
        Object::Dict(entries) => {
            entries.get(child / 2).map(|&(key, value)| if child.is_multiple_of(2) { key } else { value })
        }
        _ => None,
    }
}
