// What tests of one process ask of the driver, as the environment variables of settings.hpp do for child processes.
#include "state.hpp"
#include <cstdio>

namespace emulated {
Status replace_devices(const std::vector<uint32_t>& capabilities);
}
using namespace emulated;

CALL emulator_set_cards(const char* text) {
    Lock lock;
    read_environment();
    return replace_devices(parse_cards(text));
}
CALL emulator_set_memory(size_t bytes) {
    Lock lock;
    read_environment();
    settings().memory = bytes;
    return SUCCESS;
}
CALL emulator_set_largest(size_t bytes) {
    Lock lock;
    read_environment();
    settings().largest = bytes;
    return SUCCESS;
}
CALL emulator_set_driver(int version) {
    Lock lock;
    read_environment();
    settings().driver = version;
    return SUCCESS;
}
CALL emulator_set_order(uint32_t kind, uint64_t seed) {
    Lock lock;
    read_environment();
    settings().order = {OrderKind(kind), seed};
    return SUCCESS;
}
CALL emulator_fail_launch(uint64_t number) {
    Lock lock;
    read_environment();
    settings().fail_launch = number;
    return SUCCESS;
}
CALL emulator_fail_capture(int fail) {
    Lock lock;
    read_environment();
    settings().fail_capture = fail != 0;
    return SUCCESS;
}
CALL emulator_last_failure(char* text, size_t bytes) {
    std::snprintf(text, bytes, "%s", last_failure().c_str());
    return SUCCESS;
}
