"""The quick starts in Python of README and guide: each prints that the flag is on."""

import re
import subprocess
import sys
import unittest

from server import CLIENTS, Server

ROOT = CLIENTS.parent
PAGES = ["README.md", "docs/guide/openfeature.md"]


class QuickStart(unittest.TestCase):
    def test_each_prints_that_the_flag_is_on(self):
        for page in PAGES:
            with self.subTest(page):
                text = (ROOT / page).read_text()
                (document,) = re.findall(r"^tidegate serve --document (\S+)$", text, re.MULTILINE)
                programs = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
                self.assertEqual(len(programs), 1)
                server = Server(document=ROOT / document)
                self.addCleanup(server.stop)
                self.assertIn("http://localhost:8080", programs[0])
                program = programs[0].replace("http://localhost:8080", server.url)
                ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
                self.assertEqual((ran.stdout, ran.stderr, ran.returncode), ("True\n", "", 0))


if __name__ == "__main__":
    unittest.main()
