// Images of kernels: PTX text and cubins. Only what they declare is read; the code that runs is the emulator's.
#pragma once
#include "status.hpp"
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace emulated {

struct Entry {
    std::vector<uint32_t> argument_sizes;
    bool arguments_known = false;
    uint32_t max_threads = 0;  // 0: not said
};

struct Image {
    uint32_t target = 0;  // the capability it was compiled for
    bool exact = false;   // runs on that capability only ("sm_90a")
    bool ptx = false;
    uint32_t version = 0;  // of PTX, as 84 for 8.4
    uint32_t elf_abi = 0;  // of a cubin
    std::map<std::string, Entry> entries;
};

// Reads an image; INVALID_IMAGE or INVALID_PTX with a note if it is none.
Status read_image(const void* data, Image* image);
// Whether a card with a driver loads it.
Status check_image(const Image& image, uint32_t capability, int driver);

}  // namespace emulated
