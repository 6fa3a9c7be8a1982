//! The border: codes and sentences instead of errors, and no panic beyond it.

use etnas::Error;
use std::ffi::{c_char, c_int, CStr, CString};
use std::panic::{catch_unwind, AssertUnwindSafe};

/// What a function of the border does: nothing, or an error with the sentence for the caller.
pub type Outcome = Result<(), Failure>;

/// A code and its sentence.
pub struct Failure {
    code: c_int,
    sentence: String,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure { code: error.exit_code().into(), sentence: error.to_string() }
    }
}

impl Failure {
    /// Wrong use of the interface.
    pub fn misuse(sentence: impl Into<String>) -> Failure {
        Failure { code: 2, sentence: sentence.into() }
    }
}

/// Runs `work`; its error becomes the code, and `*error` the sentence.
///
/// # Safety
/// `error` is null or may be written.
pub unsafe fn guarded(error: *mut *mut c_char, work: impl FnOnce() -> Outcome) -> c_int {
    let done = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let sentence = "Internal error: a computation of the library panicked. Please report it with what led to it.";
        Err(Failure { code: 1, sentence: sentence.to_string() })
    });
    let (code, text) = match done {
        Ok(()) => (0, std::ptr::null_mut()),
        Err(Failure { code, sentence }) => (code, into_c(sentence)),
    };
    if error.is_null() {
        // SAFETY: the text was made by into_c and nobody else has it.
        unsafe { free(text) };
    } else {
        // SAFETY: it is not null, and the caller lets it be written.
        unsafe { error.write(text) };
    }
    code
}

/// A string for the caller, who frees it. What follows a NUL is left out.
pub fn into_c(text: String) -> *mut c_char {
    let before = text.split('\0').next().unwrap_or_default();
    CString::new(before).unwrap_or_default().into_raw()
}

/// Frees a string of [`into_c`].
///
/// # Safety
/// `text` is null or came from [`into_c`] and was not freed.
pub unsafe fn free(text: *mut c_char) {
    if !text.is_null() {
        // SAFETY: it came from CString::into_raw, once.
        drop(unsafe { CString::from_raw(text) });
    }
}

/// A string of the caller.
///
/// # Safety
/// `text` is null or points to a string that ends with NUL and is not changed meanwhile.
pub unsafe fn text<'a>(text: *const c_char, what: &str) -> Result<&'a str, Failure> {
    if text.is_null() {
        return Err(Failure::misuse(format!("{what}: expected a string, found NULL. Pass one that ends with NUL.")));
    }
    // SAFETY: it is not null, and the caller promises its end.
    let bytes = unsafe { CStr::from_ptr(text) };
    bytes.to_str().map_err(|e| {
        let at = e.valid_up_to();
        Failure::misuse(format!(
            "{what}: expected UTF-8, found other bytes from byte {at} on. Encode the string as UTF-8."
        ))
    })
}

/// A list of the caller; null is allowed for an empty one.
///
/// # Safety
/// `list` is null or points to `count` readable items that are not changed meanwhile.
pub unsafe fn list<'a, T>(list: *const T, count: usize, what: &str) -> Result<&'a [T], Failure> {
    if count == 0 {
        return Ok(&[]);
    }
    if list.is_null() {
        return Err(Failure::misuse(format!("{what}: expected {count} items, found NULL. Pass a pointer to them.")));
    }
    // SAFETY: it is not null, and the caller promises so many items.
    Ok(unsafe { std::slice::from_raw_parts(list, count) })
}

/// Strings of the caller.
///
/// # Safety
/// As of [`list`] and [`text`].
pub unsafe fn texts<'a>(list_of: *const *const c_char, count: usize, what: &str) -> Result<Vec<&'a str>, Failure> {
    // SAFETY: passed on.
    let pointers = unsafe { list(list_of, count, what) }?;
    // SAFETY: passed on.
    pointers.iter().map(|pointer| unsafe { text(*pointer, what) }).collect()
}

/// Refuses a null pointer for a result.
pub fn present<T>(pointer: *mut T, what: &str) -> Outcome {
    match pointer.is_null() {
        true => {
            Err(Failure::misuse(format!("{what}: expected a place for the result, found NULL. Pass a pointer to it.")))
        }
        false => Ok(()),
    }
}
