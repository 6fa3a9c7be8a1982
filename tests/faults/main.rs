//! What users of such programs report over and over, one module a fault and named after it. docs/faults.md says what keeps each away.

#[path = "../common/mod.rs"]
mod common;

mod bigger_is_better_is_left_open;
mod commands;
mod disk_is_full;
mod flag_given_false_is_taken_as_true;
mod interrupted_sweep_is_appended_twice_or_ends_in_half_a_line;
mod logdet_of_a_singular_matrix_poisons_a_batch;
mod memory_grows_until_the_process_is_killed;
mod nan_in_json;
mod out_of_memory_changes_the_definition;
mod output_pipe_closes;
mod scores_differ_by_initialisation;
mod synflow_is_infinite_in_f32;
mod table_says_one_accuracy_and_the_paper_another;
mod two_runs_with_one_seed_differ;

use common::program::{etnas, keys, names, rows, small, stdout, told, with_cards};
