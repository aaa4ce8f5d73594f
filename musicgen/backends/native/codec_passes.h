// A decode's way through the layers.
#pragma once

#include <vector>

#include "codec_plan.h"

namespace native {

// Where the samples for a layer go; what it kept stands in front of them.
Sink open(const NativeCodec& c, size_t index, const Decode& decode);

// Through all layers of the first part, or of the second one but for the last. The samples stand where the first layer
// wants them; what comes out goes to where the next one does, or to where the first part ends.
void pass(NativeCodec& c, bool first_part, Decode* decodes, int count, std::vector<PanelRow>& rows);

// The last layer: straight into the caller's samples.
void sound(const NativeCodec& c, const Decode& d);

}  // namespace native
