// What a test asks of the emulated driver: which cards, how much memory, what is to fail.
#pragma once
#include "../order.hpp"
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace emulated {

struct Settings {
    std::vector<uint32_t> cards = {90, 80, 75};  // compute capabilities
    size_t memory = size_t(1) << 30;             // bytes of each card
    size_t largest = SIZE_MAX;                   // bytes of the largest piece to be had, as where memory is in pieces
    int driver = 12040;
    Order order = {OrderKind::Forward, 0};
    uint64_t fail_launch = 0;  // this launch from now on, counted from 1, fails; 0: none
    bool fail_capture = false;
};

Settings& settings();
// Takes what the environment says, once for the process:
// EMULATED_CARDS="90,80,75" (empty: no card), EMULATED_MEMORY=bytes, EMULATED_DRIVER=12040,
// EMULATED_LARGEST=bytes, EMULATED_ORDER=forward|reverse|random:7, EMULATED_FAIL_LAUNCH=number, EMULATED_FAIL_CAPTURE=1.
void read_environment();
std::vector<uint32_t> parse_cards(const std::string& text);

}  // namespace emulated
