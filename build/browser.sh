#!/usr/bin/env bash
# Shows the reports of real operations to a real browser: build/browser.sh [PICTURE]
#
# The operations run in the sandbox. With PICTURE, the screenshot of docs/ is made anew.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly rollback=${ROLLBACK:-$PWD/bin/rollback}
# shellcheck source=build/node.sh
. build/node.sh
readonly modules=$PWD/.cache/browser
pages=$(mktemp -d)
readonly pages

# The pinned packages, outside of the checkout's own folders.
mkdir -p "$modules"
cp test/browser/package.json test/browser/package-lock.json test/browser/report.test.mjs "$modules/"
if ! cmp -s "$modules/package-lock.json" "$modules/node_modules/.installed"; then
  echo "browser: installing playwright-core and axe-core (once)"
  (cd "$modules" && npm ci --ignore-scripts --no-audit --no-fund --silent)
  cp "$modules/package-lock.json" "$modules/node_modules/.installed"
fi

# The pages, as people get them.
cd "$pages"
export USER=alice
end() { cd "$pages"; "$rollback" sandbox down >/dev/null 2>&1 || true; cd /; rm -rf "$pages"; }
trap end EXIT
"$rollback" sandbox up --today 2019-06-10 --speed 10 >/dev/null
policy=.rollback-sandbox/policy.hcl
sed -i 's/timeout = "20s"/timeout = "6s"/' "$policy"
reports() { "$rollback" "$@" -f "$policy" >/dev/null 2>&1; }
"$rollback" points -f "$policy" --format html > points.html
"$rollback" plan -f "$policy" --to -1 --format html > plan.html
reports apply --to -1 --auto-approve --approved-by alice --reason 'checkout is broken' --ticket INC-7 --report done.html
"$rollback" sandbox up --fail frontend@10-master >/dev/null 2>&1
code=0; reports apply --to -1 --auto-approve --approved-by alice --reason 'checkout is still broken' --ticket INC-7 --report restored.html || code=$?
[ "$code" -eq 3 ] || { echo "browser: the release that fails ended with $code, not 3" >&2; exit 1; }
code=0; reports apply --to 1999-01-01 --auto-approve --report refused.html || code=$?
[ "$code" -eq 1 ] || { echo "browser: a date that is none ended with $code, not 1" >&2; exit 1; }
reports apply --to 2019-06-05 --auto-approve --approved-by '<img src=x onerror=alert(2)>' --reason '<script>alert(1)</script>' --report hostile.html

cd "$modules"
REPORTS=$pages SCREENSHOT=${1:-} node --test --test-reporter=spec report.test.mjs
