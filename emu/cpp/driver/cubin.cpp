// What a cubin declares: the architecture in its header, a section .text.NAME and attributes .nv.info.NAME for each kernel.
#include "images.hpp"
#include <cstring>
#include <elf.h>

namespace emulated {

// Attributes are {format, number, size or value of 16 bits}, followed by `size` bytes where the format is 4.
constexpr uint8_t SIZED = 4;
constexpr uint8_t MAX_THREADS = 0x05;
constexpr uint8_t PARAMETER = 0x17;

static uint32_t word_at(const unsigned char* p) {
    uint32_t word;
    std::memcpy(&word, p, sizeof word);
    return word;
}

static void read_attributes(const unsigned char* data, size_t bytes, Entry* entry) {
    entry->arguments_known = true;
    for (size_t at = 0; at + 4 <= bytes;) {
        uint8_t format = data[at], number = data[at + 1];
        uint32_t size = format == SIZED ? word_at(data + at) >> 16 : 0;
        const unsigned char* value = data + at + 4;
        at += 4 + size;
        if (at > bytes) {
            return;
        }
        if (number == MAX_THREADS && size >= 12) {
            entry->max_threads = word_at(value) * word_at(value + 4) * word_at(value + 8);
        } else if (number == PARAMETER && size >= 12) {
            // Words: index of the function, ordinal (16 bits) and offset, then the size in the upper 14 bits.
            uint32_t ordinal = word_at(value + 4) & 0xffff;
            if (entry->argument_sizes.size() <= ordinal) {
                entry->argument_sizes.resize(ordinal + 1);
            }
            entry->argument_sizes[ordinal] = word_at(value + 8) >> 18;
        }
    }
}

Status read_cubin(const unsigned char* data, Image* image) {
    constexpr uint16_t CUDA_MACHINE = 190;
    Elf64_Ehdr header;
    std::memcpy(&header, data, sizeof header);
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != CUDA_MACHINE || header.e_shentsize != sizeof(Elf64_Shdr)) {
        note_failure("the ELF file is no cubin.");
        return INVALID_IMAGE;
    }
    // CUDA 12 writes ABI 7 with the architecture in the low byte, CUDA 13 writes ABI 8 with it in the second.
    image->elf_abi = header.e_ident[EI_ABIVERSION];
    image->target = image->elf_abi >= 8 ? header.e_flags >> 8 & 0xff : header.e_flags & 0xff;
    image->exact = image->elf_abi < 8 && header.e_flags & 0x800;
    std::vector<Elf64_Shdr> sections(header.e_shnum);
    std::memcpy(sections.data(), data + header.e_shoff, sections.size() * sizeof(Elf64_Shdr));
    if (header.e_shstrndx >= sections.size()) {
        return INVALID_IMAGE;
    }
    const char* names = reinterpret_cast<const char*>(data) + sections[header.e_shstrndx].sh_offset;
    static const std::string code = ".text.", info = ".nv.info.";
    for (const Elf64_Shdr& section : sections) {
        std::string name = names + section.sh_name;
        if (name.rfind(code, 0) == 0) {
            image->entries[name.substr(code.size())];
        } else if (name.rfind(info, 0) == 0) {
            read_attributes(data + section.sh_offset, section.sh_size, &image->entries[name.substr(info.size())]);
        }
    }
    return SUCCESS;
}

}  // namespace emulated
