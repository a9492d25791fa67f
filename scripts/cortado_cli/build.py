# SPDX-License-Identifier: BSD-2-Clause
"""`cortado build APP [-o DIR]`: writes an image folder and prints its path."""

import os

from . import app, paths, sizes, ui


def main(ns):
    found = app.load(ns.app)
    folder = os.path.abspath(ns.output or paths.build("images", found.manifest["name"]))
    app.write_image_folder(found, folder)
    ui.say("image of %s: %s" % (found.manifest["name"], sizes.show(os.stat(os.path.join(folder, "root.erofs")).st_size)))
    print(folder)
    return 0
