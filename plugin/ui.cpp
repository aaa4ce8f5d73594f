// The window: prompt, slots, six dials, how it goes, and one sentence when something is wrong.
#include "DistrhoUI.hpp"

#include "streamer_plugin.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

START_NAMESPACE_DISTRHO

using namespace mg;

namespace {

enum { WIDTH = DISTRHO_UI_DEFAULT_WIDTH, HEIGHT = DISTRHO_UI_DEFAULT_HEIGHT, SLOTS = 8, DIALS = 6 };
const char *const DIAL_NAMES[DIALS] = {"temperature", "cfg", "volume", "tilt", "space", "width"};
const double TEXT_BYTES = 1000;

struct Box {
    double x, y, width, height;
    bool has(const Point<double> &at) const {
        return at.getX() >= x && at.getX() < x + width && at.getY() >= y && at.getY() < y + height;
    }
};

const Box FIELD = {20, 58, WIDTH - 40, 40};

Box pad(int slot) { return {20 + slot * 65.5, 112, 61.5, 34}; }
Box dial(int index) { return {20 + index * 87.0, 164, 84, 100}; }

}  // namespace

class StreamerUI : public UI {
public:
    StreamerUI() : UI(WIDTH, HEIGHT) {
        for (int i = 0; i < NUMBER_COUNT; ++i) values[i] = NUMBERS[i].normal;
        for (int i = 0; i < DIALS; ++i)
            for (int place = 0; place < NUMBER_COUNT; ++place)
                if (std::strcmp(NUMBERS[place].name, DIAL_NAMES[i]) == 0) places[i] = place;
        setGeometryConstraints(WIDTH, HEIGHT, true, true);
    }

protected:
    void parameterChanged(uint32_t index, float value) override {
        if (index < NUMBER_COUNT) values[index] = value;
        else if (index == StreamerPlugin::SLOT) select(int(value + 0.5f));
        repaint();
    }

    void stateChanged(const char *key, const char *value) override {
        for (int i = 0; i < SLOTS; ++i)
            if (std::strcmp(key, TEXTS[i].name) == 0) learn(i, value);
        repaint();
    }

    /** What OSC has changed, and how it goes. */
    void uiIdle() override {
        if (++ticks % 3 != 0) return;
        if (StreamerPlugin *const one = plugin()) {
            for (int i = 0; i < SLOTS; ++i) learn(i, one->text_now(i));
            for (int i = 0; i < DIALS; ++i)
                if (dragged != i) values[places[i]] = one->value_now(places[i]);
        }
        repaint();
    }

    // ---- hands

    bool onMouse(const MouseEvent &event) override {
        const Point<double> at = scaled(event.pos);
        if (event.button != 1) return false;
        if (!event.press) {
            if (dragged >= 0) editParameter(uint32_t(places[dragged]), false);
            dragged = -1;
            return true;
        }
        if (FIELD.has(at)) {
            typing = true;
            getWindow().focus();  // hosts keep the keys for themselves until they are asked for
            repaint();
            return true;
        }
        keep();
        for (int i = 0; i < SLOTS; ++i)
            if (pad(i).has(at)) choose(i);
        for (int i = 0; i < DIALS; ++i)
            if (dial(i).has(at)) {
                dragged = i;
                from_y = at.getY();
                from = norm(i);
                editParameter(uint32_t(places[i]), true);
            }
        repaint();
        return true;
    }

    bool onMotion(const MotionEvent &event) override {
        if (dragged < 0) return false;
        turn(dragged, from + (from_y - scaled(event.pos).getY()) / 150);
        return true;
    }

    bool onScroll(const ScrollEvent &event) override {
        const Point<double> at = scaled(event.pos);
        for (int i = 0; i < DIALS; ++i)
            if (dial(i).has(at)) {
                turn(i, norm(i) + event.delta.getY() * 0.03);
                return true;
            }
        return false;
    }

    bool onCharacterInput(const CharacterInputEvent &event) override {
        if (!typing || event.character < 32 || event.character == 127) return false;
        if (draft.size() + std::strlen(event.string) < TEXT_BYTES) draft += event.string;
        repaint();
        return true;
    }

    bool onKeyboard(const KeyboardEvent &event) override {
        if (!typing || !event.press) return false;
        if (event.key == kKeyBackspace) {
            drop_character(draft);
        } else if (event.key == kKeyEscape) {
            draft = texts[shown];
            typing = false;
        } else if (event.key == '\r' || event.key == '\n') {
            keep();
        } else {
            return true;  // it is a letter, and not the host's shortcut
        }
        repaint();
        return true;
    }

    // ---- eyes

    void onCairoDisplay(const CairoGraphicsContext &context) override {
        cairo_t *const cr = context.handle;
        cairo_save(cr);
        cairo_scale(cr, double(getWidth()) / WIDTH, double(getHeight()) / HEIGHT);
        colour(cr, 0x17191e);
        cairo_paint(cr);
        write(cr, 20, 32, 17, 0xf2efe8, "MusicGen Streamer");
        draw_connection(cr);
        draw_field(cr);
        for (int i = 0; i < SLOTS; ++i) draw_pad(cr, i);
        for (int i = 0; i < DIALS; ++i) draw_dial(cr, i);
        draw_level(cr);
        draw_sentence(cr);
        cairo_restore(cr);
    }

private:
    float values[NUMBER_COUNT];
    int places[DIALS] = {};
    std::string texts[SLOTS], draft;
    int shown = 0, chosen = 0, dragged = -1;
    unsigned ticks = 0;
    double from = 0, from_y = 0;
    bool typing = false;

    StreamerPlugin *plugin() const { return static_cast<StreamerPlugin *>(getPluginInstancePointer()); }

    Point<double> scaled(const Point<double> &at) const {
        return Point<double>(at.getX() * WIDTH / getWidth(), at.getY() * HEIGHT / getHeight());
    }

    void learn(int slot, const std::string &words) {
        if (words == texts[slot]) return;
        texts[slot] = words;
        if (slot == shown && !typing) draft = words;
    }

    void select(int slot) {
        chosen = slot;
        if (!typing) show(slot > 0 ? slot - 1 : 0);
    }

    void show(int slot) {
        shown = slot;
        draft = texts[slot];
        typing = false;
    }

    /** A second press on the slot that plays brings the blend of all back. */
    void choose(int slot) {
        const int wanted = chosen == slot + 1 ? 0 : slot + 1;
        editParameter(StreamerPlugin::SLOT, true);
        setParameterValue(StreamerPlugin::SLOT, float(wanted));
        editParameter(StreamerPlugin::SLOT, false);
        chosen = wanted;
        show(slot);
    }

    void keep() {
        if (typing && draft != texts[shown]) {
            texts[shown] = draft;
            setState(TEXTS[shown].name, draft.c_str());
        }
        typing = false;
    }

    double norm(int index) const {
        const Number &one = NUMBERS[places[index]];
        const double value = values[places[index]];
        if (one.curve == LOG) return std::log(value / one.low) / std::log(double(one.high) / one.low);
        return (value - one.low) / (one.high - one.low);
    }

    void turn(int index, double position) {
        const Number &one = NUMBERS[places[index]];
        const double at = std::min(std::max(position, 0.0), 1.0);
        const double value =
            one.curve == LOG ? one.low * std::pow(double(one.high) / one.low, at) : one.low + at * (one.high - one.low);
        values[places[index]] = float(value);
        setParameterValue(uint32_t(places[index]), float(value));
        repaint();
    }

    // ---- shapes

    static void colour(cairo_t *cr, unsigned rgb) {
        cairo_set_source_rgb(cr, (rgb >> 16 & 255) / 255.0, (rgb >> 8 & 255) / 255.0, (rgb & 255) / 255.0);
    }

    /** A box with round corners. */
    static void fill(cairo_t *cr, const Box &box, unsigned rgb) {
        const double r = std::min(5.0, box.height / 2), right = box.x + box.width, bottom = box.y + box.height;
        colour(cr, rgb);
        cairo_new_sub_path(cr);
        cairo_arc(cr, right - r, box.y + r, r, -0.5 * M_PI, 0);
        cairo_arc(cr, right - r, bottom - r, r, 0, 0.5 * M_PI);
        cairo_arc(cr, box.x + r, bottom - r, r, 0.5 * M_PI, M_PI);
        cairo_arc(cr, box.x + r, box.y + r, r, M_PI, 1.5 * M_PI);
        cairo_fill(cr);
    }

    static double breadth(cairo_t *cr, double size, const std::string &words) {
        cairo_select_font_face(cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
        cairo_set_font_size(cr, size);
        cairo_text_extents_t extents;
        cairo_text_extents(cr, words.c_str(), &extents);
        return extents.x_advance;
    }

    /** align: 0 begins at x, 0.5 has its middle there, 1 its end. */
    static void write(cairo_t *cr, double x, double y, double size, unsigned rgb, const std::string &words,
                      double align = 0) {
        const double width = breadth(cr, size, words);
        colour(cr, rgb);
        cairo_move_to(cr, x - align * width, y);
        cairo_show_text(cr, words.c_str());
        cairo_new_path(cr);  // or the next arc is joined to the text
    }

    /** A text that is too long for its place keeps its end, where the typing is, or its beginning. */
    static std::string fitting(cairo_t *cr, double size, double width, std::string words, bool end) {
        if (breadth(cr, size, words) <= width) return words;
        const std::string dots = "\u2026";
        while (!words.empty() && breadth(cr, size, words + dots) > width) {
            if (end) {
                words.erase(0, 1);
                while (!words.empty() && (words[0] & 0xC0) == 0x80) words.erase(0, 1);
            } else {
                drop_character(words);
            }
        }
        return end ? dots + words : words + dots;
    }

    /** Take the last character off a text in UTF-8. */
    static void drop_character(std::string &words) {
        while (!words.empty() && (words.back() & 0xC0) == 0x80) words.pop_back();
        if (!words.empty()) words.pop_back();
    }

    void draw_field(cairo_t *cr) {
        fill(cr, FIELD, typing ? 0x333a44 : 0x22262c);
        const char number[] = {char('1' + shown), 0};
        write(cr, FIELD.x + 14, FIELD.y + 26, 15, 0x6fb1ff, number);
        const double x = FIELD.x + 36, width = FIELD.width - 52;
        if (draft.empty() && !typing)
            return write(cr, x, FIELD.y + 26, 15, 0x77808c, "Click here, say what to play, press Enter");
        const std::string words = fitting(cr, 15, width, draft, typing);
        write(cr, x, FIELD.y + 26, 15, 0xffffff, words);
        if (typing) {
            colour(cr, 0x6fb1ff);
            cairo_rectangle(cr, x + breadth(cr, 15, words) + 1, FIELD.y + 10, 1.5, 21);
            cairo_fill(cr);
        }
    }

    void draw_connection(cairo_t *cr) {
        StreamerPlugin *const one = plugin();
        if (one == nullptr) return;
        Link &engine = one->engine();
        const bool there = engine.connected.load();
        char words[160] = "no engine";
        if (there) {
            char pace[32] = "", late[32] = "";
            if (engine.rtf.load() > 0) std::snprintf(pace, sizeof pace, "   %.1f x real time", double(engine.rtf.load()));
            if (one->late() > 0) std::snprintf(late, sizeof late, "   %u late", one->late());
            std::snprintf(words, sizeof words, "%s%s%s", engine.prefix().c_str(), pace, late);
        }
        write(cr, WIDTH - 42, 33, 12, 0x9aa3ad, words, 1);
        colour(cr, there ? 0x63c174 : engine.starting.load() ? 0xf0b35a : 0xd9634c);
        cairo_arc(cr, WIDTH - 25, 29, 5, 0, 2 * M_PI);
        cairo_fill(cr);
    }

    /** One sentence, on two lines where it is long. */
    void draw_sentence(cairo_t *cr) {
        std::string words = plugin() != nullptr ? plugin()->engine().sentence() : "";
        const unsigned rgb = words.empty() ? 0x77808c : 0xf0b35a;
        if (words.empty())
            words = chosen > 0 ? "This slot plays alone; click it again for the blend of all."
                               : "All slots play by their weights; click one to hear it alone.";
        const double width = WIDTH - 40;
        size_t ends = words.size();
        while (ends != std::string::npos && ends > 0 && breadth(cr, 12.5, words.substr(0, ends)) > width)
            ends = words.rfind(' ', ends - 1);
        if (ends == std::string::npos || ends == 0) ends = words.size();
        write(cr, 20, HEIGHT - 26, 12.5, rgb, fitting(cr, 12.5, width, words.substr(0, ends), false));
        if (ends < words.size())
            write(cr, 20, HEIGHT - 11, 12.5, rgb, fitting(cr, 12.5, width, words.substr(ends + 1), false));
    }

    void draw_pad(cairo_t *cr, int slot) {
        const Box box = pad(slot);
        fill(cr, box, chosen == slot + 1 ? 0x3f7d58 : shown == slot ? 0x333a44 : 0x22262c);
        const char name[] = {char('1' + slot), 0};
        write(cr, box.x + box.width / 2, box.y + 22, 14, texts[slot].empty() ? 0x77808c : 0xffffff, name, 0.5);
    }

    void draw_dial(cairo_t *cr, int index) {
        const Box box = dial(index);
        const Number &one = NUMBERS[places[index]];
        const double x = box.x + box.width / 2, y = box.y + 38, begins = 0.75 * M_PI, sweep = 1.5 * M_PI;
        const double at = begins + sweep * std::min(std::max(norm(index), 0.0), 1.0);
        cairo_set_line_width(cr, 6);
        colour(cr, 0x2b3038);
        cairo_arc(cr, x, y, 30, begins, begins + sweep);
        cairo_stroke(cr);
        colour(cr, 0x6fb1ff);
        cairo_arc(cr, x, y, 30, at > begins + 0.1 ? begins : begins - 0.05, std::max(at, begins + 0.05));
        cairo_stroke(cr);
        char words[40];
        std::snprintf(words, sizeof words, std::strcmp(one.unit, "dB") == 0 ? "%.1f dB" : "%.2f",
                      double(values[places[index]]));
        write(cr, x, y + 4, 12, 0xffffff, words, 0.5);
        write(cr, x, box.y + 92, 12.5, 0x9aa3ad, one.label, 0.5);
    }

    void draw_level(cairo_t *cr) {
        const Box box = {20, 282, WIDTH - 40, 8};
        fill(cr, box, 0x22262c);
        const double level = plugin() != nullptr ? plugin()->level() : 0;
        const double share = level > 0 ? std::min(1 + 20 * std::log10(level) / 60, 1.0) : 0;
        if (share > 0.02) fill(cr, {box.x, box.y, box.width * share, box.height}, level > 0.99 ? 0xd9634c : 0x63c174);
    }

    DISTRHO_DECLARE_NON_COPYABLE_WITH_LEAK_DETECTOR(StreamerUI)
};

UI *createUI() { return new StreamerUI(); }

END_NAMESPACE_DISTRHO
