#include "images.hpp"
#include <cstring>

namespace emulated {

Status read_ptx(const char* text, Image* image);
Status read_cubin(const unsigned char* data, Image* image);

Status read_image(const void* data, Image* image) {
    if (!data) {
        return INVALID_VALUE;
    }
    const char* text = static_cast<const char*>(data);
    if (!std::memcmp(text,
                     "\x7f"
                     "ELF",
                     4)) {
        return read_cubin(static_cast<const unsigned char*>(data), image);
    }
    static const unsigned char fatbin[4] = {0x50, 0xed, 0x55, 0xba};
    if (!std::memcmp(text, fatbin, 4)) {
        note_failure("fat binaries are not read; load PTX text or a cubin.");
        return INVALID_IMAGE;
    }
    return read_ptx(text, image);
}

// The oldest driver, as 12040, that knows a version of PTX, as 84.
static int driver_for_ptx(uint32_t version) {
    switch (version) {
    case 86: return 12070;
    case 87: return 12080;
    case 88: return 12090;
    default: break;
    }
    int major = int(version / 10), minor = int(version % 10);
    return major < 7 ? 10000 : (major + 4) * 1000 + minor * 10;
}

Status check_image(const Image& image, uint32_t capability, int driver) {
    std::string card = std::to_string(capability / 10) + "." + std::to_string(capability % 10);
    std::string target = std::to_string(image.target / 10) + "." + std::to_string(image.target % 10);
    if (image.ptx) {
        if (driver_for_ptx(image.version) > driver) {
            note_failure("PTX " + std::to_string(image.version / 10) + "." + std::to_string(image.version % 10) +
                         " is newer than the driver " + std::to_string(driver) + ".");
            return UNSUPPORTED_PTX_VERSION;
        }
        if (image.target > capability || (image.exact && image.target != capability)) {
            note_failure("PTX for capability " + target + " does not run on a card of " + card + ".");
            return INVALID_PTX;
        }
        return SUCCESS;
    }
    if (image.elf_abi > 7 && driver < 13000) {
        note_failure("a cubin of CUDA 13 needs a driver of CUDA 13, not " + std::to_string(driver) + ".");
        return INVALID_IMAGE;
    }
    bool runs = image.exact ? image.target == capability : image.target / 10 == capability / 10 && image.target <= capability;
    if (!runs) {
        note_failure("a cubin for capability " + target + " does not run on a card of " + card + ".");
        return NO_BINARY_FOR_GPU;
    }
    return SUCCESS;
}

}  // namespace emulated
