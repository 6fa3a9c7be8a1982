//! What a chunk of cells makes the card do: a list of launches, and the job lists they read.

use super::device::{aligned, Argument, Device, Grid, Memory};
use super::work::Least;
use crate::error::Result;
use bytemuck::NoUninit;
use std::ops::Range;

/// An argument before the job lists have an address.
#[derive(Clone, Copy, Debug)]
enum Placed {
    /// A job list, by its begin in bytes.
    Jobs(usize),
    Ready(Argument),
}

struct Launch {
    kernel: String,
    grid: Grid,
    arguments: Vec<Placed>,
    least: Least,
}

/// Blocks that a grid can have along y. Longer lists take several launches.
const MOST_JOBS: usize = 65_535;

/// Some of a program's launches, one behind the other.
#[derive(Clone, Debug)]
pub struct Section(Range<usize>);

/// Launches in order. The first argument of each is its job list.
#[derive(Default)]
pub struct Program {
    jobs: Vec<u8>,
    launches: Vec<Launch>,
}

impl Program {
    /// Adds a launch over a list of jobs; nothing if there are none, or nothing in them. `grid` has a block for each job along y, which is
    /// set here.
    pub fn launch<T: NoUninit>(&mut self, kernel: impl Into<String>, grid: Grid, jobs: &[T], arguments: &[Argument]) {
        self.launch_with::<T, u8>(kernel, grid, jobs, None, arguments);
    }

    /// Adds a launch that reads a second list after its jobs.
    pub fn launch_with<T: NoUninit, U: NoUninit>(
        &mut self,
        kernel: impl Into<String>,
        grid: Grid,
        jobs: &[T],
        more: Option<&[U]>,
        arguments: &[Argument],
    ) {
        if jobs.is_empty() || grid.blocks[0] == 0 || grid.blocks[2] == 0 {
            return;
        }
        let more = more.map(|more| Placed::Jobs(self.list(more)));
        let kernel = kernel.into();
        for jobs in jobs.chunks(MOST_JOBS) {
            let own = Placed::Jobs(self.list(jobs));
            let ready = arguments.iter().map(|argument| Placed::Ready(*argument));
            let arguments = std::iter::once(own).chain(more).chain(ready).collect();
            let [x, _, z] = grid.blocks;
            let grid = Grid { blocks: [x, jobs.len(), z], ..grid };
            self.launches.push(Launch { kernel: kernel.clone(), grid, arguments, least: Least::default() });
        }
    }

    /// Says what the last launch must do at least; for a launch of nothing, which was not added, it is nothing.
    pub fn least(&mut self, bytes: usize, flop: usize) {
        if let Some(launch) = self.launches.last_mut().filter(|_| bytes > 0) {
            launch.least = Least { bytes: bytes as u64, flop: flop as u64 };
        }
    }

    /// What `add` adds, as a section.
    pub fn section(&mut self, add: impl FnOnce(&mut Program)) -> Section {
        let begin = self.launches.len();
        add(self);
        Section(begin..self.launches.len())
    }

    fn list<T: NoUninit>(&mut self, jobs: &[T]) -> usize {
        let at = self.jobs.len();
        self.jobs.extend_from_slice(bytemuck::cast_slice(jobs));
        self.jobs.resize(aligned(self.jobs.len()), 0);
        at
    }

    /// Looks the kernels up and takes memory for the job lists. The card may be busy.
    pub fn placed(self, device: &Device) -> Result<PlacedProgram> {
        self.launches.iter().try_for_each(|launch| device.prepare(&launch.kernel))?;
        let lists = device.demand(self.jobs.len(), "the list of what to do")?;
        Ok(PlacedProgram { program: self, lists })
    }
}

/// A program with memory on the card for its job lists, which must live until its launches have ended.
pub struct PlacedProgram {
    program: Program,
    lists: Memory,
}

impl PlacedProgram {
    /// Copies the job lists to the card.
    pub fn upload(&mut self, device: &Device) -> Result<()> {
        device.write(&mut self.lists, 0, &self.program.jobs)
    }

    /// Copies the job lists to the card and gives it all launches.
    pub fn run_all(&mut self, device: &Device) -> Result<()> {
        self.upload(device)?;
        self.run(device, &Section(0..self.program.launches.len()))
    }

    /// Gives the launches of a section to the card.
    pub fn run(&self, device: &Device, section: &Section) -> Result<()> {
        let mut arguments = Vec::new();
        for launch in self.program.launches.get(section.0.clone()).unwrap_or_default() {
            arguments.clear();
            arguments.extend(launch.arguments.iter().map(|argument| match *argument {
                Placed::Jobs(at) => Argument::Address(self.lists.address() + at as u64),
                Placed::Ready(argument) => argument,
            }));
            device.launch(&launch.kernel, launch.grid, &arguments, launch.least)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_take_several_launches_and_empty_ones_none() {
        let mut program = Program::default();
        let grid = Grid { blocks: [3, 0, 2], threads: 256, shared: 0 };
        program.launch::<u64>("none", grid, &[], &[]);
        program.launch("nothing in them", Grid { blocks: [0, 0, 1], ..grid }, &[1u64], &[]);
        assert!(program.launches.is_empty());
        let jobs: Vec<u64> = (0..2 * MOST_JOBS as u64 + 5).collect();
        program.launch_with("many", grid, &jobs, Some(&[7u32]), &[Argument::Number(4)]);
        let counts: Vec<[usize; 3]> = program.launches.iter().map(|launch| launch.grid.blocks).collect();
        assert_eq!(counts, [[3, MOST_JOBS, 2], [3, MOST_JOBS, 2], [3, 5, 2]]);
        for (number, launch) in program.launches.iter().enumerate() {
            let [Placed::Jobs(own), Placed::Jobs(more), Placed::Ready(Argument::Number(4))] = launch.arguments[..]
            else {
                panic!("{:?}", launch.arguments)
            };
            let first: u64 = bytemuck::pod_read_unaligned(&program.jobs[own..own + 8]);
            assert_eq!(first, (number * MOST_JOBS) as u64);
            assert_eq!(bytemuck::pod_read_unaligned::<u32>(&program.jobs[more..more + 4]), 7);
        }
    }
}
