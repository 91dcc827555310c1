# Installs what OpenRSSP needs and builds it; sourced by the other scripts. Whatever is there is left alone.
# Set before sourcing: NEED_BROWSER=1 and NEED_POSTGRESQL=1 when tests are to run.

say() { printf '%s\n' "$*"; }
stop() {
  printf '\nopenrssp: %s\n' "$*" >&2
  exit 1
}

# Runs a long step quietly, with the seconds passing, and shows what it said only when it fails.
long_step() {
  local title=$1 log started pid
  shift
  log=$(mktemp)
  started=$SECONDS
  "$@" >"$log" 2>&1 &
  pid=$!
  if [ -t 1 ]; then
    while kill -0 "$pid" 2>/dev/null; do
      printf '\r%s … %ss ' "$title" "$((SECONDS - started))"
      sleep 1
    done
  else
    say "$title …"
  fi
  if wait "$pid"; then
    if [ -t 1 ]; then printf '\r%s … done in %ss\n' "$title" "$((SECONDS - started))"; fi
    rm -f "$log"
  else
    printf '\n'
    cat "$log" >&2
    rm -f "$log"
    stop "$title failed; what it said is above."
  fi
}

# The Node.js there is: its version, and what native modules are built for. Asked once; it takes a while.
node_version= node_platform=
ask_node() {
  command -v node >/dev/null || return 0
  read -r node_version node_platform < <(
    node -p 'const { versions, platform, arch } = process; `${versions.node} ${platform} ${arch} ${versions.modules}`'
  )
}

node_is_recent() {
  local major minor
  IFS=. read -r major minor _ <<<"$node_version"
  [ -n "$major" ] && { [ "$major" -gt 20 ] || { [ "$major" = 20 ] && [ "$minor" -ge 19 ]; }; }
}

# Names of the Debian packages that are missing.
missing_packages() {
  has_softhsm || echo softhsm2
  command -v openssl >/dev/null || echo openssl
  if ! npm_packages_installed; then
    command -v python3 >/dev/null || echo python3
    command -v make >/dev/null || echo make
    command -v g++ >/dev/null || echo g++
  fi
  if [ "${NEED_BROWSER:-}" = 1 ]; then
    command -v chromium >/dev/null || echo chromium
    # Tests compile a PKCS#11 library that misbehaves.
    command -v cc >/dev/null || echo gcc
    [ -e /usr/include/dlfcn.h ] || echo libc6-dev
    # Other PKCS#11 libraries than SoftHSM: that of NSS, and one whose token is behind a socket.
    has_library libsoftokn3.so || has_library nss/libsoftokn3.so || echo libnss3
    command -v p11-kit >/dev/null || echo p11-kit
    has_library pkcs11/p11-kit-client.so || echo p11-kit-modules
    # Steps the clock of servers under load (npm run chaos).
    has_library faketime/libfaketimeMT.so.1 || echo libfaketime
    # Verify what we sign: PDF, and XML.
    command -v pdfsig >/dev/null || echo poppler-utils
    command -v qpdf >/dev/null || echo qpdf
    command -v xmlsec1 >/dev/null || echo xmlsec1
    # Load balancer in front of several servers.
    command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || echo nginx-light
  fi
  if [ "${NEED_POSTGRESQL:-}" = 1 ]; then has_postgresql || echo postgresql; fi
}

# Whether this file is in a folder of libraries.
has_library() {
  local library
  for library in /usr/lib/*/"$1" /usr/lib64/"$1" /usr/lib/"$1"; do
    if [ -e "$library" ]; then return 0; fi
  done
  return 1
}

# A server that tests can start for themselves.
has_postgresql() {
  local program
  for program in /usr/lib/postgresql/*/bin/initdb; do
    if [ -x "$program" ]; then return 0; fi
  done
  command -v initdb >/dev/null && command -v postgres >/dev/null
}

has_softhsm() {
  local library
  [ -n "${OPENRSSP_PKCS11_MODULE:-}" ] && return 0
  for library in /usr/lib/softhsm/libsofthsm2.so /usr/lib/*/softhsm/libsofthsm2.so \
    /usr/lib64/softhsm/libsofthsm.so /usr/local/lib/softhsm/libsofthsm2.so \
    /opt/homebrew/lib/softhsm/libsofthsm2.so; do
    if [ -e "$library" ]; then return 0; fi
  done
  return 1
}

install_system_packages() {
  local missing
  missing=$(missing_packages | paste -sd ' ')
  [ -z "$missing" ] && return 0
  if ! command -v apt-get >/dev/null; then
    stop "please install these first: $missing"
  fi
  if [ "$(id -u)" != 0 ]; then
    stop "please run this first:

    sudo apt-get update && sudo apt-get install -y --no-install-recommends $missing
"
  fi
  export DEBIAN_FRONTEND=noninteractive
  long_step 'Updating the package list' apt-get update
  # shellcheck disable=SC2086 # a list of names
  long_step "Installing $missing" apt-get install -y --no-install-recommends $missing
}

# What the installed packages depend on: the lock file, and the Node.js that native modules are built for.
installed_for() {
  printf '%s\n' "$node_platform"
  cat package-lock.json
}

npm_packages_installed() {
  installed_for | cmp -s - node_modules/.openrssp-installed
}

install_npm_packages() {
  local headers
  npm_packages_installed && return 0
  # Headers that came with Node.js serve to compile the native modules; nothing is downloaded for it.
  headers=$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")
  if [ -f "$headers/include/node/node.h" ]; then export npm_config_nodedir="$headers"; fi
  long_step 'Installing npm packages (a minute or two)' npm ci --no-audit --no-fund
  installed_for >node_modules/.openrssp-installed
}

# True when a source is newer than what was made from it.
outdated() {
  local made=$1
  shift
  [ -e "$made" ] || return 0
  [ -n "$(find -L "$@" -newer "$made" -type f -print -quit)" ]
}

generate_client() {
  local client
  for client in src/storage/prisma-client/client.ts src/storage/postgresql/prisma-client/client.ts; do
    outdated $client prisma package-lock.json || continue
    long_step 'Generating the database clients' npm run --silent generate
    touch src/storage/prisma-client/client.ts src/storage/postgresql/prisma-client/client.ts
  done
}

build() {
  outdated dist/.built src conformance scripts/build.js package-lock.json tsconfig.json || return 0
  long_step 'Building' npm run --silent build
  touch dist/.built
}

# Prisma's native engine is not used, and not downloaded.
export PRISMA_SCHEMA_ENGINE_BINARY=/bin/true
export CHECKPOINT_DISABLE=1

# One at a time in one folder: a second one waits, and finds everything there.
exec 8<.
if command -v flock >/dev/null; then flock 8; fi
ask_node
node_is_recent || stop 'Node.js 20.19 or newer is needed: https://nodejs.org'
install_system_packages
install_npm_packages
generate_client
build
exec 8<&-
