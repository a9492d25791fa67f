// SPDX-License-Identifier: BSD-2-Clause
package org.example;

/** The main class of a module. */
public final class App {
    private App() {}

    public static void main(String[] args) throws Exception {
        System.out.println(App.class.getModule() + " " + args.length);
        System.in.readAllBytes(); // until whoever started it has seen enough
    }
}
