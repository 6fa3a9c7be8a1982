//! The way forward of a step: every convolution's output stays in the arena.

use super::super::layout::{pad_image, padded_channels, padded_len, IMAGE_CHANNELS};
use super::super::norm::Affine;
use super::super::pass::{each_part, moment_offsets, Packed};
use super::super::scratch::{grown, with};
use super::super::winograd::{Tiling, MOST_CONVS, POSITIONS};
use super::layers::Way;
use super::{Trainer, Workspace};

impl Trainer<'_> {
    /// Over all values.
    pub(super) fn forward(&mut self, noise: &[f32]) {
        self.forward_stem(noise);
        for v in 0..self.nodes.len() {
            self.forward_value(v);
        }
    }

    fn forward_stem(&mut self, noise: &[f32]) {
        let (count, size) = (self.count(), self.size);
        let (height, width) = (self.task.images.height, self.task.images.width);
        let pixels = 3 * height * width;
        for at in 0..self.stem.len() {
            let c = self.stem[at];
            let Workspace { arena, moments, parameters, .. } = &mut *self.space;
            let network = &self.network;
            let weights = parameters.at(&self.places.convs[c]);
            let stride = padded_channels(network.plan.convs[c].shape.channels);
            let arenas = (&mut arena[..count * size], size);
            let moments = (&mut moments[..count * stride], stride);
            each_part(self.parallel, arenas, moments, (&mut vec![(); count], 1), |i, arena, moments, _| {
                with(|scratch| {
                    let padded = grown(&mut scratch.padded, padded_len(height, width, IMAGE_CHANNELS));
                    let of_image = i * pixels..(i + 1) * pixels;
                    let image = &self.task.images.pixels[of_image.clone()];
                    pad_image(image, Some(&noise[of_image]), height, width, padded);
                    network.run_conv(c, padded, weights, arena, moments);
                });
            });
            self.set_affines(&[c], stride);
        }
    }

    fn forward_value(&mut self, v: usize) {
        let (count, size) = (self.count(), self.size);
        let node = &self.nodes[v];
        let value = &self.network.plan.values[v];
        let Workspace { arena, moments, parameters, affines, layers, shifts, .. } = &mut *self.space;
        let network = &self.network;
        network.shift_into(v, affines, &mut shifts[v]);
        let mut packed = [Packed::Direct(&[]); MOST_CONVS];
        for (&c, packed) in value.convs.iter().zip(&mut packed) {
            *packed = match layers[c].way {
                Way::Tiled => Packed::Tiled(&layers[c].ahead[..self.places.convs[c].len() / 9 * POSITIONS]),
                _ => Packed::Direct(parameters.at(&self.places.convs[c])),
            };
        }
        let (known, shift): (&[Affine], _) = (affines, &shifts[v]);
        let stride = node.forward_stride;
        let together = Tiling::images_per_block(value.shape.height, value.shape.width);
        let arenas = (&mut arena[..count * size], together * size);
        let moments = (&mut moments[..count * stride], together * stride);
        let nothing = (&mut vec![(); count][..], together);
        each_part(self.parallel, arenas, moments, nothing, |part, arenas, moments, _| {
            with(|scratch| {
                let next = count.saturating_sub((part + 1) * together).min(together);
                scratch.tiles.ahead.start(arenas.as_ptr().wrapping_add(arenas.len()), size, next);
                node.read.iter().for_each(|&at| scratch.tiles.ahead.add(at, node.len));
                let outs = grown(&mut scratch.value, arenas.len() / size * node.len).chunks_exact_mut(node.len);
                for (out, arena) in outs.zip(arenas.chunks_exact_mut(size)) {
                    network.assemble(v, 0, known, shift, arena, out, &mut [], &mut scratch.zeros);
                }
                network.run_convs(
                    v,
                    (&value.convs, &packed[..value.convs.len()]),
                    (arenas, size),
                    (moments, stride),
                    scratch,
                );
            });
        });
        self.set_affines(&value.convs, stride);
    }

    /// BatchNorm of these convolutions, from their moments in all images.
    fn set_affines(&mut self, convs: &[usize], stride: usize) {
        let plan = self.network.plan;
        let count = self.count();
        let Workspace { moments, parameters, affines, .. } = &mut *self.space;
        let (offsets, _) = moment_offsets(plan, convs);
        for (&c, at) in convs.iter().zip(offsets).filter(|(&c, _)| plan.convs[c].norm) {
            let shape = &plan.convs[c].shape;
            let norm = parameters.norm(&self.places.norms[c]);
            let moments = &moments[..count * stride];
            affines[c].set(moments, (at, stride), padded_channels(shape.channels), shape.pixels(), norm);
        }
    }
}
