#!/usr/bin/env bash
# Installs the Debian packages that the tests need: real servers to test
# against, and what the race detector is linked with. Silent if all are there.
set -euo pipefail

# command:package - a command that is there needs no package, whatever brought it.
readonly needed=(
  git:git
  gcc:gcc
  docker-registry:docker-registry # the registry that plugins/registry-docker is tested against
  htpasswd:apache2-utils          # its password file
  pg_ctlcluster:postgresql        # the state that a team shares
  chromium:chromium               # the reports in a browser
  python3:python3                 # Ansible
  java:default-jre-headless       # Groovy, for the Jenkins pipelines
  groovy:groovy
)

missing=()
# Debian's Python comes without what makes virtual environments.
python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
for pair in "${needed[@]}"; do
  # Debian keeps some servers out of a plain user's PATH.
  PATH="$PATH:/usr/sbin:/sbin" command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
done
[ ${#missing[@]} -gt 0 ] || exit 0

install=(apt-get install -y -qq --no-install-recommends "${missing[@]}")
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "debian-packages: the tests need Debian's ${missing[*]}; install with:" >&2
  echo "  sudo ${install[*]}" >&2
  exit 1
fi
echo "debian-packages: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
"${install[@]}" >/dev/null
