#!/usr/bin/env bash
# Make sure that the browser tests find a Chromium and a font with Chinese characters. With root and apt-get the
# missing ones are installed; without, the script says what is missing and how to get it, and fails.
set -euo pipefail

browser() {
	local name
	for name in chromium chromium-browser google-chrome google-chrome-stable headless-shell chrome; do
		if command -v "$name" >/dev/null 2>&1; then
			return 0
		fi
	done
	[ -d "/Applications/Google Chrome.app" ] || [ -d "/Applications/Chromium.app" ]
}

chinese_font() {
	case "$(uname -s)" in
	Linux) command -v fc-list >/dev/null 2>&1 && [ -n "$(fc-list :lang=zh family 2>/dev/null | head -n 1)" ] ;;
	*) true ;; # macOS and Windows carry one
	esac
}

missing=()
browser || missing+=(chromium)
chinese_font || missing+=(fonts-noto-cjk fontconfig)
if [ "${#missing[@]}" -eq 0 ]; then
	exit 0
fi

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
	echo "installing ${missing[*]} for the browser tests"
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq
	apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
	if browser && chinese_font; then
		exit 0
	fi
	echo "apt-get ran, but the browser or the font is still not found" >&2
fi

{
	echo "The browser tests need what this machine lacks: ${missing[*]}"
	echo
	echo "  Debian:          sudo apt-get install chromium fonts-noto-cjk"
	echo "  Ubuntu:          sudo apt-get install fonts-noto-cjk; Chrome from https://www.google.com/chrome (its chromium is a snap)"
	echo "  Fedora:          sudo dnf install chromium google-noto-sans-cjk-fonts"
	echo "  Alpine:          apk add chromium font-noto-cjk fontconfig"
	echo "  macOS:           brew install --cask google-chrome"
	echo
	echo "Then run 'make test' again, or 'make test-only' to run the tests without installing anything."
} >&2
exit 1
