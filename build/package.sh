#!/usr/bin/env bash
# Builds what a release consists of into dist/, without publishing it, and looks whether it is all there:
#
#   build/package.sh [all|quick]   quick: only linux/amd64, in a minute; all: every platform
#
# As a release is, it is made of the last commit: of a clone, which is given the remote that goreleaser wants to see.
# The image is not built: that needs a Docker engine and its base image.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly what=${1:-all}
readonly most=$((60 * 1024 * 1024))
passed=0
ok() { passed=$((passed + 1)); echo "package: ok: $*"; }
die() { echo "package: $*" >&2; echo "$passed passed, 1 failed"; exit 1; }

root=$PWD/.cache/package
rm -rf "$root" dist
git clone --quiet . "$root/source"
git -C "$root/source" remote set-url origin https://github.com/rollback-project/rollback
export PATH=$PWD/bin:$PATH
cd "$root/source"

config=.goreleaser.yaml platforms=6
goreleaser check --quiet .goreleaser.yaml || die "goreleaser refuses .goreleaser.yaml"
ok "goreleaser check"
if [ "$what" = quick ]; then
  config=../quick.yaml platforms=1
  sed -e 's/^    goos: .*/    goos: [linux]/' -e 's/^    goarch: .*/    goarch: [amd64]/' .goreleaser.yaml > "$config"
fi

# A checkout without tags has no version to go on from: goreleaser then begins at v0.0.0.
goreleaser release --snapshot --clean --skip=docker --config "$config" > ../goreleaser.log 2>&1 || { tail -40 ../goreleaser.log >&2; die "goreleaser failed"; }
ok "goreleaser release --snapshot"

commit=$(git rev-parse HEAD)
cd ../../..
mv "$root/source/dist" dist
cd dist
shopt -s nullglob
archives=(rollback_*.tar.gz rollback_*.zip)
[ "${#archives[@]}" -eq "$platforms" ] || die "${#archives[@]} archives instead of $platforms"
ok "$platforms archives"
sha256sum --check --quiet rollback_*_checksums.txt || die "the checksums are wrong"
ok "checksums"
for bill in rollback_*.cdx.json; do
  python3 - "$bill" <<'PYTHON' || die "$bill is no list of what is inside"
import json, sys
bill = json.load(open(sys.argv[1]))
names = {c["name"] for c in bill["components"]}
assert bill["bomFormat"] == "CycloneDX" and {"github.com/hashicorp/hcl/v2", "github.com/hashicorp/go-plugin", "github.com/zclconf/go-cty"} <= names, names
PYTHON
done
bills=(rollback_*.cdx.json)
[ "${#bills[@]}" -eq "$platforms" ] || die "${#bills[@]} lists of what is inside instead of $platforms"
ok "SBOM of each executable"

# The archive is what people unpack.
root=$root/unpacked
mkdir "$root"
tar -C "$root" -xzf rollback_*_linux_amd64.tar.gz --strip-components=1
for file in rollback LICENSE README.md CHANGELOG.md man/rollback-apply.1.gz completions/rollback.bash completions/rollback.zsh completions/rollback.fish completions/rollback.ps1 examples/article.hcl; do
  [ -s "$root/$file" ] || die "the archive has no $file"
done
ok "the archive holds program, license, man pages, completions, examples"
version=$("$root/rollback" version --json | python3 -c 'import json,sys; d=json.load(sys.stdin); print(d["version"], d["commit"])')
[ "$version" = "$(python3 -c 'import json; print(json.load(open("metadata.json"))["version"])') $commit" ] || die "the program says it is $version"
ok "the program knows its version and commit"
size=$(stat -c %s "$root/rollback")
[ "$size" -lt "$most" ] || die "the program has $size bytes, more than $most"
ok "the program has $((size / 1024 / 1024)) MiB, less than 60"
bash -n "$root/completions/rollback.bash" || die "bash cannot read its completion"
ok "bash reads its completion"

# Packages.
deb=(rollback_*_amd64.deb)
rpm=(rollback_*_amd64.rpm)
[ "${#deb[@]}" -eq 1 ] || die "there is no deb"
dpkg-deb -x "${deb[0]}" "$root/deb"
for file in usr/bin/rollback usr/share/man/man1/rollback-apply.1.gz usr/share/bash-completion/completions/rollback usr/share/zsh/vendor-completions/_rollback usr/share/fish/vendor_completions.d/rollback.fish usr/share/doc/rollback/copyright usr/share/doc/rollback/examples/article.hcl; do
  [ -s "$root/deb/$file" ] || die "the deb has no $file"
done
cmp "$root/rollback" "$root/deb/usr/bin/rollback" || die "the deb holds another program"
ok "the deb has everything in its place"
[ "${#rpm[@]}" -eq 1 ] && [ "$(od -An -tx1 -N4 "${rpm[0]}" | tr -d ' ')" = edabeedb ] || die "there is no rpm"
if command -v rpm >/dev/null; then
  rpm --nosignature -qpl "${rpm[0]}" | grep -qx /usr/bin/rollback || die "the rpm has no program"
  rpm --nosignature -qpl "${rpm[0]}" | grep -qx /usr/share/zsh/site-functions/_rollback || die "the rpm has no completion for zsh"
fi
ok "the rpm"

echo "$passed passed, 0 failed"
