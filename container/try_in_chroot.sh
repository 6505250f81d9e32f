#!/bin/bash
# Tries the recipe where there is no container engine: installs into a clean Debian 12 in a temporary folder, runs
# `make demo` there as a user without a name, and prints sizes, seconds and calls. Needs root, debootstrap and unshare;
# KEEP=FOLDER keeps the result. What a container engine itself does is not tried.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
# Mounts of the trial end with it, and no folder of this machine is seen in it.
[[ ${CD40L_UNSHARED:-} ]] || exec env CD40L_UNSHARED=1 unshare --mount --pid --fork --kill-child "$0" "$@"
root=${KEEP:-$(mktemp -d)}
mkdir -p "$root" && chmod 755 "$root" # users other than root go in
cleanup() {
    umount -l "$root/proc" "$root/dev/shm" "$root/dev/pts" 2>/dev/null || true
    [[ ${KEEP:-} ]] || rm -rf --one-file-system "$root"
}
trap cleanup EXIT
megabytes() { du -sm --one-file-system --exclude=./usr/src --exclude=./data "$@" | cut -f 1; }
begun=$SECONDS
step() { printf '%-44s %5d s\n' "$1" $((SECONDS - begun)); begun=$SECONDS; }
inside() { env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "${reach[@]}" chroot "$root" "$@"; }

debootstrap --variant=minbase bookworm "$root" >"$root.log" 2>&1 || { tail "$root.log" >&2; exit 1; }
rm -f "$root.log"
# As in the slim image.
chroot "$root" apt-get clean
rm -rf "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,info,locale,man}/*
printf 'path-exclude /usr/share/%s/*\n' doc info locale man >"$root/etc/dpkg/dpkg.cfg.d/slim"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
step "clean Debian"
base=$(megabytes "$root")

# How this machine reaches its registries, if not directly; taken out again.
reach=()
for name in PIP_INDEX_URL http_proxy https_proxy no_proxy; do [[ ${!name:-} ]] && reach+=("$name=${!name}"); done
cp /etc/resolv.conf "$root/etc/resolv.conf"
if [[ -e ${PIP_CERT:-} ]]; then
    cp "$PIP_CERT" "$root/certificates" && reach+=(PIP_CERT=/certificates)
fi

# What .dockerignore lets through.
mkdir -p "$root/usr/src/cd40l-flow"
sed -n 's/^!//p' "$here/.dockerignore" | tar -C "$here" --exclude=__pycache__ --exclude=.snakemake -cf - -T - \
    | tar -C "$root/usr/src/cd40l-flow" -xf -
inside /usr/src/cd40l-flow/container/install.sh
rm -f "$root/certificates"
step "install.sh"
whole=$(megabytes "$root")
packed=$(tar -C "$root" --one-file-system --exclude=./usr/src --exclude=./proc -cf - . | gzip -6 | wc -c)
step "packing"
echo "clean Debian $base MB; /opt/cd40l-flow $(megabytes "$root/opt/cd40l-flow") MB; whole image $whole MB, packed $((packed / 1000000)) MB"

# The demo of a clone, with the installation of the image; make is no part of it.
inside sh -c 'apt-get update -qq && apt-get install -qq --yes --no-install-recommends make >/dev/null'
mkdir "$root/data"
git -C "$here" archive HEAD Makefile Snakefile environment.yml profiles pyproject.toml requirements.lock src test_data workflow \
    | tar -C "$root/data" -xf -
chown -R 12345:12345 "$root/data"
begun=$SECONDS
# The variables of the Dockerfile; chroot itself lies in /usr/sbin.
mapfile -t variables < <(sed -n 's/^ENV //p' "$here/container/Dockerfile" | sed 's/\$PATH/\/usr\/sbin:\/usr\/bin:\/bin/' | tr ' ' '\n')
if ! env -i "${variables[@]}" chroot --userspec=12345:12345 "$root" \
    make -C /data --no-print-directory demo VENV=/opt/cd40l-flow --old-file=/opt/cd40l-flow/.installed >"$root/demo.log" 2>&1; then
    cat "$root/demo.log" >&2
    exit 1
fi
step "make demo"
cut -f 1,5,8 "$root/data/test_data/results/summary.tsv"
if [[ -e $here/test_data/results/summary.tsv ]]; then
    cmp "$here/test_data/results/summary.tsv" "$root/data/test_data/results/summary.tsv" && echo "summary.tsv equals that of this machine's make demo"
fi
