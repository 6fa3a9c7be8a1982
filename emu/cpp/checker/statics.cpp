#include "statics.hpp"
#include <algorithm>
#include <cstring>
#include <cxxabi.h>
#include <dlfcn.h>
#include <elf.h>
#include <fstream>
#include <iterator>
#include <link.h>
#include <memory>

namespace emulated {

static int anchor;

// The last part of "(anonymous namespace)::kernel(float const*)::tile".
static std::string short_name(const char* mangled) {
    int status = 0;
    std::unique_ptr<char, void (*)(void*)> text(abi::__cxa_demangle(mangled, nullptr, nullptr, &status), std::free);
    std::string name = text ? text.get() : mangled;
    size_t colon = name.rfind("::");
    return colon == std::string::npos ? name : name.substr(colon + 2);
}

Statics::Statics() {
    Dl_info info;
    if (!dladdr(&anchor, &info)) {
        return;
    }
    library_ = reinterpret_cast<uintptr_t>(info.dli_fbase);
    dl_iterate_phdr(
        [](dl_phdr_info* module, size_t, void* self) {
            Statics& statics = *static_cast<Statics*>(self);
            if (module->dlpi_addr != statics.library_) {
                return 0;
            }
            for (int i = 0; i < module->dlpi_phnum; ++i) {
                const auto& segment = module->dlpi_phdr[i];
                if (segment.p_type == PT_LOAD) {
                    statics.library_bytes_ = std::max(statics.library_bytes_, size_t(segment.p_vaddr + segment.p_memsz));
                }
            }
            return 1;
        },
        this);
    read_symbols(info.dli_fname);
}

void Statics::read_symbols(const char* path) {
    std::ifstream stream(path, std::ios::binary);
    std::string file((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
    if (file.size() < sizeof(Elf64_Ehdr)) {
        return;
    }
    const auto* header = reinterpret_cast<const Elf64_Ehdr*>(file.data());
    const auto* sections = reinterpret_cast<const Elf64_Shdr*>(file.data() + header->e_shoff);
    const char* section_names = file.data() + sections[header->e_shstrndx].sh_offset;
    uint32_t data_section = 0;
    for (uint32_t i = 0; i < header->e_shnum; ++i) {
        if (!std::strcmp(section_names + sections[i].sh_name, ".bss")) {
            data_section = i;
            data_ = library_ + sections[i].sh_addr;
            data_bytes_ = sections[i].sh_size;
        }
    }
    for (uint32_t i = 0; i < header->e_shnum; ++i) {
        if (sections[i].sh_type != SHT_SYMTAB) {
            continue;
        }
        const auto* symbols = reinterpret_cast<const Elf64_Sym*>(file.data() + sections[i].sh_offset);
        const char* names = file.data() + sections[sections[i].sh_link].sh_offset;
        for (size_t s = 0; s < sections[i].sh_size / sizeof(Elf64_Sym); ++s) {
            const char* name = names + symbols[s].st_name;
            // A function's static variable in an unnamed namespace.
            if (symbols[s].st_shndx == data_section && symbols[s].st_size && !std::strncmp(name, "_ZZN12_GLOBAL__N_1", 18)) {
                variables_.push_back({library_ + symbols[s].st_value, symbols[s].st_size, short_name(name)});
            }
        }
    }
    std::sort(variables_.begin(), variables_.end(), [](const Variable& a, const Variable& b) { return a.address < b.address; });
    index_.assign(data_bytes_ / 4 + 1, 0);
    for (size_t v = 0; v < variables_.size(); ++v) {
        Variable& variable = variables_[v];
        variable.initialised.assign(variable.bytes / 8 + 1, 0);
        size_t first = data_offset(variable.address) / 4, end = (data_offset(variable.address) + variable.bytes + 3) / 4;
        std::fill(index_.begin() + ptrdiff_t(first), index_.begin() + ptrdiff_t(end), uint16_t(v + 1));
    }
}

Variable* Statics::at(uintptr_t address) {
    uint16_t number = index_[data_offset(address) / 4];
    if (!number) {
        return nullptr;
    }
    Variable& variable = variables_[number - 1];
    return address - variable.address < variable.bytes ? &variable : nullptr;
}

const Variable* Statics::before(uintptr_t address) const {
    auto after = std::upper_bound(variables_.begin(), variables_.end(), address,
                                  [](uintptr_t a, const Variable& variable) { return a < variable.address; });
    return after == variables_.begin() ? nullptr : &*std::prev(after);
}

}  // namespace emulated
