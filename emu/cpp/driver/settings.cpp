#include "settings.hpp"
#include <cstdlib>
#include <sstream>

namespace emulated {

Settings& settings() {
    static Settings all;
    return all;
}

std::vector<uint32_t> parse_cards(const std::string& text) {
    std::vector<uint32_t> cards;
    std::stringstream stream(text);
    for (std::string item; std::getline(stream, item, ',');) {
        if (uint32_t capability = uint32_t(std::strtoul(item.c_str(), nullptr, 10))) {
            cards.push_back(capability);
        }
    }
    return cards;
}

void read_environment() {
    static bool done = false;
    if (done) {
        return;
    }
    done = true;
    Settings& all = settings();
    if (const char* text = std::getenv("EMULATED_CARDS")) {
        all.cards = parse_cards(text);
    }
    if (const char* text = std::getenv("EMULATED_MEMORY")) {
        all.memory = std::strtoull(text, nullptr, 10);
    }
    if (const char* text = std::getenv("EMULATED_LARGEST")) {
        all.largest = std::strtoull(text, nullptr, 10);
    }
    if (const char* text = std::getenv("EMULATED_DRIVER")) {
        all.driver = std::atoi(text);
    }
    if (const char* text = std::getenv("EMULATED_ORDER")) {
        std::string order = text;
        if (order == "reverse") {
            all.order = {OrderKind::Reverse, 0};
        } else if (order.rfind("random", 0) == 0) {
            size_t colon = order.find(':');
            all.order = {OrderKind::Random, colon == std::string::npos ? 0 : std::strtoull(text + colon + 1, nullptr, 10)};
        }
    }
    if (const char* text = std::getenv("EMULATED_FAIL_LAUNCH")) {
        all.fail_launch = std::strtoull(text, nullptr, 10);
    }
    if (const char* text = std::getenv("EMULATED_FAIL_CAPTURE")) {
        all.fail_capture = std::atoi(text) != 0;
    }
}

}  // namespace emulated
