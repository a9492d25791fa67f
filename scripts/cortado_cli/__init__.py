# SPDX-License-Identifier: BSD-2-Clause
"""The cortado command: builds images, runs virtual machines, and manages them. Standard library only."""

VERSION = "0.1.0"
