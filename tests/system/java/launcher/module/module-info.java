// SPDX-License-Identifier: BSD-2-Clause

/** An application that is a module and requires nothing. */
module org.example {
}
