// SPDX-License-Identifier: BSD-2-Clause
package orders;

import java.util.ArrayList;
import java.util.List;

/** Memory held on request, to watch the heap follow the balloon. */
final class Load {
    private static final int CHUNK = 1 << 20;

    private final List<byte[]> held = new ArrayList<>();

    /** Holds exactly MIB mebibytes from now on; throws OutOfMemoryError, holding nothing, when the heap is too small. */
    synchronized void hold(int mib) {
        try {
            while (held.size() > mib)
                held.remove(held.size() - 1);
            while (held.size() < mib) {
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
        return held.size();
    }
}
