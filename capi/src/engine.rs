//! Engines and scores.

use crate::border::{guarded, into_c, list, present, texts, Failure};
use etnas::backend::Watch;
use etnas::engine::{Columns, Engine};
use etnas::measure::Measure;
use etnas::space::Cell;
use std::ffi::{c_char, c_int, c_void};

/// An engine, opaque to C.
pub struct EtnasEngine(Engine);

/// `etnas_watch`.
pub type EtnasWatch = Option<unsafe extern "C" fn(context: *mut c_void) -> c_int>;

/// A function of the caller that watches.
struct Watcher {
    call: EtnasWatch,
    context: *mut c_void,
    cancelled: std::sync::atomic::AtomicBool,
}

// SAFETY: the header says that the function is called from any thread, with its context.
unsafe impl Sync for Watcher {}

impl Watch for Watcher {
    fn advance(&self) {
        if let Some(call) = self.call {
            // SAFETY: the caller's function and context are valid during the call.
            if unsafe { call(self.context) } != 0 {
                self.cancelled.store(true, std::sync::atomic::Ordering::Relaxed);
            }
        }
    }

    fn cancelled(&self) -> bool {
        self.cancelled.load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// `etnas_engine_new`.
///
/// # Safety
/// As the header says: `options` points to `count` strings, `engine` and `error` may be written or are null.
#[no_mangle]
pub unsafe extern "C" fn etnas_engine_new(
    options: *const *const c_char,
    count: usize,
    engine: *mut *mut EtnasEngine,
    error: *mut *mut c_char,
) -> c_int {
    let work = || {
        present(engine, "engine")?;
        // SAFETY: the caller promises so many strings.
        let words = unsafe { texts(options, count, "options") }?;
        let options = etnas::cli::engine_options(&words).map_err(Failure::misuse)?;
        let made = Box::new(EtnasEngine(Engine::new(options)?));
        // SAFETY: it is not null, and the caller lets it be written.
        unsafe { engine.write(Box::into_raw(made)) };
        Ok(())
    };
    // SAFETY: the caller lets the error be written.
    unsafe { guarded(error, work) }
}

/// `etnas_engine_free`.
///
/// # Safety
/// `engine` is null, or came from [`etnas_engine_new`], was not freed, and no call uses it.
#[no_mangle]
pub unsafe extern "C" fn etnas_engine_free(engine: *mut EtnasEngine) {
    if !engine.is_null() {
        // SAFETY: it came from Box::into_raw, once.
        let engine = unsafe { Box::from_raw(engine) };
        // SAFETY: no error is told.
        unsafe {
            guarded(std::ptr::null_mut(), || {
                drop(engine);
                Ok(())
            })
        };
    }
}

/// `etnas_engine_forget`.
///
/// # Safety
/// `engine` is null or an engine.
#[no_mangle]
pub unsafe extern "C" fn etnas_engine_forget(engine: *const EtnasEngine) {
    // SAFETY: it is an engine or null.
    if let Some(EtnasEngine(engine)) = unsafe { engine.as_ref() } {
        engine.forget();
    }
}

/// # Safety
/// `engine` is null or an engine that outlives what is made of it.
unsafe fn known<'a>(engine: *const EtnasEngine) -> Result<&'a Engine, Failure> {
    // SAFETY: passed on.
    match unsafe { engine.as_ref() } {
        Some(EtnasEngine(engine)) => Ok(engine),
        None => Err(Failure::misuse("engine: expected an engine, found NULL. Make one with etnas_engine_new.")),
    }
}

/// `etnas_engine_configuration`.
///
/// # Safety
/// As the header says.
#[no_mangle]
pub unsafe extern "C" fn etnas_engine_configuration(
    engine: *const EtnasEngine,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> c_int {
    let work = || {
        present(json, "json")?;
        // SAFETY: the caller passes an engine or null.
        let engine = unsafe { known(engine) }?;
        let text = serde_json::to_string(&engine.configuration()).map_err(|e| Failure::misuse(e.to_string()))?;
        // SAFETY: it is not null, and the caller lets it be written.
        unsafe { json.write(into_c(text)) };
        Ok(())
    };
    // SAFETY: the caller lets the error be written.
    unsafe { guarded(error, work) }
}

/// `etnas_score`.
///
/// # Safety
/// As the header says: lists have the lengths given, `values` has room for `cell_count * measure_count` numbers and `status`, if not null, for
/// `cell_count`.
#[no_mangle]
pub unsafe extern "C" fn etnas_score(
    engine: *const EtnasEngine,
    cells: *const u32,
    cell_count: usize,
    measures: *const *const c_char,
    measure_count: usize,
    values: *mut f64,
    status: *mut u8,
    watch: EtnasWatch,
    context: *mut c_void,
    error: *mut *mut c_char,
) -> c_int {
    let work = || {
        // SAFETY: the caller passes an engine or null.
        let engine = unsafe { known(engine) }?;
        // SAFETY: the caller promises so many indices.
        let indices = unsafe { list(cells, cell_count, "cells") }?;
        let cells =
            indices.iter().map(|&index| Cell::from_index(index.into())).collect::<etnas::Result<Vec<Cell>>>()?;
        // SAFETY: the caller promises so many strings.
        let names = unsafe { texts(measures, measure_count, "measures") }?;
        let measures = names.into_iter().map(Measure::from_name).collect::<etnas::Result<Vec<Measure>>>()?;
        if cells.is_empty() || measures.is_empty() {
            return Ok(());
        }
        present(values, "values")?;
        let watcher = Watcher { call: watch, context, cancelled: false.into() };
        let scores = Columns::of(&engine.records(&cells, &measures, &watcher)?);
        for (m, measure) in measures.iter().enumerate() {
            let from = scores.values(*measure);
            // SAFETY: column m of the room that the caller promises, which is as long as the cells are many.
            unsafe { values.add(m * cell_count).copy_from_nonoverlapping(from.as_ptr(), from.len().min(cell_count)) };
        }
        if !status.is_null() {
            for (i, fared) in scores.status.iter().enumerate().take(cell_count) {
                // SAFETY: the caller promises room for each cell.
                unsafe { status.add(i).write(*fared as u8) };
            }
        }
        Ok(())
    };
    // SAFETY: the caller lets the error be written.
    unsafe { guarded(error, work) }
}
