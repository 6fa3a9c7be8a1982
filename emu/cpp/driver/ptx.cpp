// What PTX text declares: version, target, entries with their parameters.
#include "images.hpp"
#include <cctype>
#include <cstdlib>
#include <sstream>

namespace emulated {

// The words after a directive's first occurrence.
static std::string after(const std::string& text, const char* directive) {
    size_t at = text.find(directive);
    if (at == std::string::npos) {
        return {};
    }
    std::istringstream stream(text.substr(at + std::string(directive).size(), 100));
    std::string word;
    stream >> word;
    return word;
}

// Size of a parameter as ".param .u64 .ptr .global .align 16 name" or ".param .align 8 .b8 name[32]".
static uint32_t parameter_size(const std::string& declaration) {
    std::istringstream stream(declaration);
    uint32_t element = 0, count = 1;
    for (std::string word; stream >> word;) {
        if (word == ".align") {
            stream >> word;
        } else if (word[0] == '.' && word.size() >= 3 && std::isdigit(static_cast<unsigned char>(word[2]))) {
            element = uint32_t(std::atoi(word.c_str() + 2)) / 8;
        } else if (size_t bracket = word.find('['); bracket != std::string::npos) {
            count = uint32_t(std::atoi(word.c_str() + bracket + 1));
        }
    }
    return element * count;
}

static std::string without_comments(const char* text) {
    std::string clean;
    for (const char* p = text; *p;) {
        if (p[0] == '/' && p[1] == '/') {
            while (*p && *p != '\n') {
                ++p;
            }
        } else {
            clean += *p++;
        }
    }
    return clean;
}

static Entry read_entry(const std::string& text, size_t list, size_t body) {
    Entry entry;
    entry.arguments_known = true;
    size_t end = list == std::string::npos ? std::string::npos : text.find(')', list);
    if (list != std::string::npos && end < body) {
        std::istringstream stream(text.substr(list + 1, end - list - 1));
        for (std::string declaration; std::getline(stream, declaration, ',');) {
            if (declaration.find(".param") != std::string::npos) {
                entry.argument_sizes.push_back(parameter_size(declaration));
            }
        }
    }
    size_t bound = text.find(".maxntid", list);
    if (bound < body) {
        std::istringstream stream(text.substr(bound + 8, body - bound - 8));
        uint32_t product = 1, factor;
        for (char comma = ','; comma == ',' && stream >> factor;) {
            product *= factor;
            comma = 0;
            stream >> comma;
        }
        entry.max_threads = product;
    }
    return entry;
}

Status read_ptx(const char* data, Image* image) {
    std::string text = without_comments(data);
    std::string version = after(text, ".version"), target = after(text, ".target");
    if (version.empty() || target.rfind("sm_", 0) != 0) {
        note_failure("the text is no PTX: it has no .version and .target.");
        return INVALID_PTX;
    }
    image->ptx = true;
    image->version = uint32_t(std::atof(version.c_str()) * 10 + 0.5);
    image->target = uint32_t(std::atoi(target.c_str() + 3));
    image->exact = target.find_first_of("af", 3) != std::string::npos;
    for (size_t at = 0; (at = text.find(".entry", at)) != std::string::npos;) {
        at += 6;
        while (std::isspace(static_cast<unsigned char>(text[at]))) {
            ++at;
        }
        size_t end = at;
        while (std::isalnum(static_cast<unsigned char>(text[end])) || text[end] == '_' || text[end] == '$') {
            ++end;
        }
        size_t body = text.find('{', end);
        if (body == std::string::npos) {
            note_failure("the PTX entry " + text.substr(at, end - at) + " has no body.");
            return INVALID_PTX;
        }
        image->entries[text.substr(at, end - at)] = read_entry(text, text.find('(', end), body);
        at = body;
    }
    return SUCCESS;
}

}  // namespace emulated
