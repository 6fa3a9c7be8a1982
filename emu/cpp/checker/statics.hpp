// The kernels' static __shared__ arrays, found in the symbol table of this library.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace emulated {

struct Variable {
    uintptr_t address;
    size_t bytes;
    std::string name;
    uint64_t block = 0;                // that `initialised` is about
    std::vector<uint8_t> initialised;  // one bit for each byte
};

class Statics {
public:
    Statics();
    // Whether an address lies in this library; in its zero-initialised data, where the arrays are.
    bool in_library(uintptr_t address) const { return address - library_ < library_bytes_; }
    bool in_data(uintptr_t address) const { return address - data_ < data_bytes_; }
    size_t data_offset(uintptr_t address) const { return address - data_; }
    size_t data_bytes() const { return data_bytes_; }
    uintptr_t library() const { return library_; }
    // The array that holds an address, or null; arrays lie at least 64 bytes apart.
    Variable* at(uintptr_t address);
    // The array that begins last before an address, or null.
    const Variable* before(uintptr_t address) const;

private:
    void read_symbols(const char* path);
    uintptr_t library_ = 0, data_ = 0;
    size_t library_bytes_ = 0, data_bytes_ = 0;
    std::vector<Variable> variables_;  // by address
    std::vector<uint16_t> index_;      // of each word of the data, 0: none, else variable + 1
};

}  // namespace emulated
