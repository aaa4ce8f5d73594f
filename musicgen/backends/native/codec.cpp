// EnCodec as a stream: frames in, sound out, and the other way round.
#include "codec.h"

#include <algorithm>
#include <cstring>

#include "codec_passes.h"
#include "codec_plan.h"

using namespace native;

namespace {

void embed(const NativeCodecWeights& w, const NativeFrames& frames, int64_t at, float* x) {
    const int width = width_of(w.features);
    memset(x, 0, size_t(width) * sizeof(float));
    for (int k = 0; k < w.codebooks; ++k) {
        const int64_t entry = int64_t(k) * w.entries + frames.codes[k * frames.codebook_step + at];
        const float* from = w.table + size_t(entry) * size_t(w.features);
        for (int i = 0; i < w.features; ++i) x[i] += from[i];
    }
}

// What the first part made of one decode, in pieces through the rest.
void finish(NativeCodec& c, const Decode& decode, Workspace& own) {
    const int width = c.layers[c.split].convolve.in;
    int at = 0;
    do {
        Decode part = decode;
        part.scratch = own.scratch.get();
        part.samples = std::min(c.piece, decode.samples - at);
        part.final = decode.final && at + part.samples == decode.samples;
        part.sink = open(c, c.split, part);
        copy(part.sink.elu, decode.scratch + c.handover + size_t(at) * size_t(width), part.samples, width);
        at += part.samples;
        pass(c, false, &part, 1, own.rows);
        sound(c, part);
    } while (at < decode.samples);
}

// A few frames of some decodes.
void advance(NativeCodec& c, Decode* decodes, int count, int64_t at) {
    for (Decode* d = decodes; d < decodes + count; ++d) {
        d->sink = open(c, 0, *d);
        d->head().begun = 1;
        d->head().due += int64_t(d->samples) * c.weights.hop;
        for (int i = 0; i < d->samples; ++i) {
            embed(c.weights, *d->frames, at + i, row(d->sink.plain, i, width_of(c.weights.features)));
        }
    }
    pass(c, true, decodes, count, c.decodes[0].rows);
    each(c.pool, count, [&](int index, int worker) { finish(c, decodes[index], c.workers[size_t(worker)]); });
}

// A few frames' samples of an encode. Returns the frames that came of them.
int encode_some(NativeCodec& c, Decode& encode, const float* sound, float* latents) {
    const Conv &first = c.layers.front().convolve, &last = c.layers.back().convolve;
    encode.sink = open(c, 0, encode);
    memset(encode.sink.plain, 0, size_t(encode.samples) * size_t(first.in) * sizeof(float));
    for (int i = 0; i < encode.samples; ++i) row(encode.sink.plain, i, first.in)[0] = sound[i];
    encode.head().due += encode.samples;
    pass(c, true, &encode, 1, c.decodes[0].rows);
    for (int i = 0; i < encode.samples; ++i) {
        copy(latents + size_t(i) * size_t(last.outputs), row(encode.scratch + c.handover, i, last.out), 1, last.outputs);
    }
    encode.head().due -= int64_t(encode.samples) * c.weights.hop;
    return encode.samples;
}

}  // namespace

NativeCodec* native_codec_open(const NativeCodecWeights* weights, const char* name, int32_t threads) {
    const Kernels* kernels = find_kernels(name);
    return kernels ? new NativeCodec(*weights, *kernels, threads) : nullptr;
}

void native_codec_close(NativeCodec* codec) { delete codec; }

size_t native_codec_state_size(const NativeCodec* codec) {
    return sizeof(StateHead) + codec->layers.size() * sizeof(Place) + codec->state_numbers * sizeof(float);
}

void native_codec_reset(const NativeCodec* codec, uint8_t* state) {
    memset(state, 0, native_codec_state_size(codec));
    Place* places = reinterpret_cast<Place*>(state + sizeof(StateHead));
    for (size_t i = 0; i < codec->layers.size(); ++i) {
        const Conv& conv = codec->layers[i].convolve;
        if (!codec->layers[i].is_lstm()) places[i] = {conv.mirrors() ? 0 : conv.left, !conv.mirrors(), conv.trim, 0};
    }
}

int64_t native_codec_due(const uint8_t* state) { return reinterpret_cast<const StateHead*>(state)->due; }

void native_codec_decode(NativeCodec* codec, NativeFrames* rows, int32_t count) {
    NativeCodec& c = *codec;
    std::lock_guard<std::mutex> lock(c.mutex);
    for (int first = 0; first < count; first += kDecodes) {
        const int some = std::min(kDecodes, count - first);
        for (int i = first; i < first + some; ++i) rows[i].samples = 0;
        for (int at = 0;; at += kFrames) {
            Decode decodes[kDecodes];
            int going = 0;
            for (int i = first; i < first + some; ++i) {
                NativeFrames& own = rows[i];
                const int left = own.frames - at, now = std::min(left, kFrames);
                Decode decode{&own, own.state, nullptr, now, own.final && left <= kFrames, {}, {}};
                const bool ends = at == 0 && left == 0 && own.final && decode.head().begun;
                if (left <= 0 && !ends) continue;
                Buffer<float>& scratch = c.decodes[size_t(going)].scratch;
                if (!scratch) scratch = allocate<float>(c.together.size);
                decode.scratch = scratch.get();
                decodes[going++] = decode;
            }
            if (!going) break;
            advance(c, decodes, going, at);
        }
    }
}

int32_t native_codec_encode(NativeCodec* codec, uint8_t* state, const float* sound, int32_t samples, int32_t final,
                            float* latents) {
    NativeCodec& c = *codec;
    std::lock_guard<std::mutex> lock(c.mutex);
    Buffer<float>& scratch = c.decodes[0].scratch;
    if (!scratch) scratch = allocate<float>(c.together.size);
    const int most = kEncoded * c.weights.hop;
    int frames = 0, at = 0;
    do {
        const int now = std::min(most, samples - at);
        Decode encode{nullptr, state, scratch.get(), now, final && at + now == samples, {}, {}};
        frames += encode_some(c, encode, sound + at, latents + size_t(frames) * size_t(c.weights.features));
        at += now;
    } while (at < samples);
    return frames;
}
