"""Known vulnerabilities of the installed packages, by pip-audit and the OSV database.

pip-audit alone ends with success when it could look nothing up, and with the same status for a
vulnerability as for a database that does not answer. Here the three are told apart.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

EXIT_CLEAN, EXIT_VULNERABLE, EXIT_NOT_AUDITED = 0, 1, 3


def main(arguments: list[str]) -> int:
    """Run pip-audit; ``arguments`` say where. Print what it found and return the status."""
    command = [sys.executable, "-m", "pip_audit", "--format=json", "--desc=off"]
    command += ["--progress-spinner=off", "--vulnerability-service=osv", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        reason = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return _not_audited(f"pip-audit could not ask ({reason})")
    looked_up = [each for each in packages if "skip_reason" not in each]
    skipped = [each for each in packages if "skip_reason" in each]
    found = [each for each in looked_up if each["vulns"]]
    for each in found:
        _print_vulnerabilities(each)
    for each in skipped:
        print(f"not audited: {each['name']}: {each['skip_reason']}")
    if found:
        return EXIT_VULNERABLE
    if not looked_up:
        return _not_audited("no package could be looked up")
    print(f"{len(looked_up)} packages, no known vulnerability")
    return EXIT_CLEAN


def _print_vulnerabilities(package: dict[str, Any]) -> None:
    for each in package["vulns"]:
        fixed = ", ".join(each["fix_versions"]) or "no version"
        print(f"{package['name']} {package['version']}: {each['id']}, fixed in {fixed}")


def _not_audited(reason: str) -> int:
    print(f"NOTHING WAS AUDITED: {reason}", file=sys.stderr)
    return EXIT_NOT_AUDITED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["--local"]))
