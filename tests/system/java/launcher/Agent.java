// SPDX-License-Identifier: BSD-2-Clause

import java.lang.instrument.Instrumentation;

/** Loaded by -javaagent or by Launcher-Agent-Class. */
public final class Agent {
    private Agent() {}

    public static void premain(String options, Instrumentation instrumentation) {
        System.setProperty("agent", "premain " + options + " " + instrumentation.isRetransformClassesSupported());
    }

    public static void agentmain(String options, Instrumentation instrumentation) {
        System.setProperty("agent", "agentmain " + options);
    }
}
