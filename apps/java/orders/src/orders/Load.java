// SPDX-License-Identifier: BSD-2-Clause
package orders;

import java.util.ArrayList;
import java.util.List;

/** Memory held on request, to watch the heap follow the balloon. */
final class Load {
    /** Far below half a G1 region, so that no chunk takes regions of its own. */
    private static final int CHUNK = 64 << 10;
    private static final int CHUNKS_PER_MIB = (1 << 20) / CHUNK;

    private final List<byte[]> held = new ArrayList<>();

    /** Holds exactly MIB mebibytes from now on; throws OutOfMemoryError, holding nothing, when the heap is too small. */
    synchronized void hold(int mib) {
        try {
            int chunks = mib * CHUNKS_PER_MIB;
            while (held.size() > chunks)
                held.remove(held.size() - 1);
            while (held.size() < chunks) {
                byte[] chunk = new byte[CHUNK];
                for (int i = 0; i < CHUNK; i += 4096)
                    chunk[i] = 1;
                held.add(chunk);
            }
        } catch (OutOfMemoryError e) {
            held.clear();
            throw e;
        }
    }

    synchronized int heldMib() {
        return held.size() / CHUNKS_PER_MIB;
    }
}
