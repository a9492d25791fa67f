// SPDX-License-Identifier: BSD-2-Clause

/** In a jar of its own. */
public final class Library {
    private Library() {}

    public static String name() {
        return "library";
    }
}
