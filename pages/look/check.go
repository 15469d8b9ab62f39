package look

import (
	"fmt"
	"testing"
)

// Check looks at the page as a careful reader would: its words can be told from what is behind them (WCAG 2.2, 1.4.3), it
// is no wider than its window, everything that can be used has a name and room for a finger, headings and landmarks are
// in order, and every word is in the page's language. It complains of nothing. A picture of it is kept.
func (b *Browser) Check(t testing.TB, name string) {
	t.Helper()
	for _, p := range Ask[[]string](t, b, Faint) {
		t.Errorf("%s: contrast below 4.5: %s", name, p)
	}
	for _, p := range Ask[[]string](t, b, fmt.Sprintf(wide, b.width)) {
		t.Errorf("%s: wider than the window of %d: %s", name, b.width, p)
	}
	for _, p := range Ask[[]string](t, b, Unnamed) {
		t.Errorf("%s: %s", name, p)
	}
	for _, p := range Ask[[]string](t, b, Foreign) {
		t.Errorf("%s: not in the page's language: %s", name, p)
	}
	b.Quiet(t)
	b.Shoot(t, name)
}

// Faint finds words whose contrast with what is behind them is below 4.5 : 1, wherever they stand.
const Faint = `(() => {
	const channel = v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
	const light = c => .2126 * channel(c[0]) + .7152 * channel(c[1]) + .0722 * channel(c[2]);
	const parse = s => { const m = s.match(/[\d.]+/g).map(Number); return m.length > 3 ? m : [...m, 1]; };
	const over = (a, b) => a.slice(0, 3).map((v, i) => v * a[3] + b[i] * (1 - a[3]));
	const behind = el => {
		const layers = [];
		for (; el; el = el.parentElement) {
			const c = parse(getComputedStyle(el).backgroundColor);
			if (c[3]) layers.push(c);
			if (c[3] === 1) break;
		}
		return layers.reverse().reduce((base, c) => over(c, base), [255, 255, 255]);
	};
	const bad = [];
	const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (walker.nextNode()) {
		const el = walker.currentNode.parentElement, text = walker.currentNode.data.trim();
		if (!text || !el.checkVisibility() || el.closest('title, .unseen, .skip, script, template')) continue;
		const style = getComputedStyle(el), svg = el.closest('svg');
		const ink = parse(svg ? style.fill : style.color), ground = behind(svg ? svg.parentElement : el);
		const a = light(over(ink, ground)), b = light(ground);
		const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
		if (ratio < 4.5) bad.push(text.slice(0, 40) + ' ' + ratio.toFixed(2));
	}
	return bad;
})()`

// wide finds what makes the page scroll sideways in a window of a width; a phone's own idea of it grows with the page.
const wide = `(() => document.documentElement.scrollWidth <= %[1]d ? [] :
	[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > %[1]d + 1 && !e.closest('.scroll, .tabs'))
	.slice(0, 4).map(e => e.tagName + '.' + (e.className.baseVal ?? e.className) + ' ' + Math.round(e.getBoundingClientRect().right)))()`

// Unnamed finds what a reader who does not see the page, or does not use a mouse, would stumble over.
const Unnamed = `(() => {
	const bad = [], all = (s, f) => document.querySelectorAll(s).forEach(f);
	const say = (what, e) => bad.push(what + ': ' + e.outerHTML.slice(0, 120));
	const shown = e => e.checkVisibility();
	const name = e => (e.getAttribute('aria-label') || '').trim() || e.textContent.trim() ||
		[...e.querySelectorAll('img')].map(i => i.alt).join('').trim();

	if (!document.documentElement.lang) bad.push('the page has no language');
	if (!document.title.trim()) bad.push('the page has no title');
	if (document.querySelectorAll('main').length !== 1) bad.push(document.querySelectorAll('main').length + ' main landmarks');
	all('a[href], button, summary', e => { if (shown(e) && !name(e)) say('has no name', e); });
	all('a:not([href])', e => { if (shown(e)) say('a link that leads nowhere', e); });
	all('input:not([type=hidden]), select, textarea', e => {
		if (!e.labels.length && !e.getAttribute('aria-label') && !e.getAttribute('aria-labelledby')) say('has no label', e);
	});
	all('img:not([alt])', e => say('has no text in its place', e));
	all('svg:not([aria-hidden=true])', e => { if (!e.closest('[aria-hidden=true]') && !(e.getAttribute('role') && (e.getAttribute('aria-label') || e.querySelector('title')))) say('a picture without a name', e); });
	all('svg[role=img][aria-label], figure svg[role=group]', e => {
		if (shown(e) && e.closest('figure') && !e.closest('.code, .proof') && !e.closest('figure').querySelector('table') && !e.parentElement.closest('li, section').querySelector('table, dl')) say('a picture without its figures', e);
	});
	all('table', e => { if (!e.caption && !e.getAttribute('aria-label') && !e.closest('.uplot')) say('a table without a caption', e); });
	all('[tabindex]', e => { if (e.tabIndex > 0) say('jumps the order of the keyboard', e); });
	all('nav', e => { if (document.querySelectorAll('nav').length > 1 && !e.getAttribute('aria-label')) say('one of several navigations without a name', e); });
	const ids = new Set();
	all('[id]', e => { if (ids.has(e.id)) say('an identifier twice', e); ids.add(e.id); });
	const heads = [...document.querySelectorAll('h1, h2, h3, h4')].filter(shown);
	if (heads.filter(h => h.tagName === 'H1').length !== 1) bad.push(heads.filter(h => h.tagName === 'H1').length + ' headings of the first order');
	heads.reduce((before, h) => { const at = Number(h.tagName[1]); if (at > before + 1) say('skips an order of headings', h); return at; }, 0);
	all('button:not(.copy), .button, select, input:not([type=hidden]), summary', e => {
		const r = e.getBoundingClientRect();
		if (shown(e) && !e.closest('.unseen, dialog:not([open])') && (r.width < 24 || r.height < 23.5)) say('is too small for a finger, ' + Math.round(r.width) + ' by ' + Math.round(r.height), e);
	});
	return bad;
})()`

// Foreign finds words in the wrong language: Chinese on an English page, and on a Chinese one a run of Latin words that is
// neither a name of ours nor marked as another language.
const Foreign = `(() => {
	const zh = document.documentElement.lang.startsWith('zh'), bad = [];
	const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (walker.nextNode()) {
		const el = walker.currentNode.parentElement, text = walker.currentNode.data.trim();
		if (!text || el.closest('script, template, code, pre, kbd, [lang]:not(html), blockquote, option, .id, .party, .bought, .said, time')) continue;
		if (zh ? /[A-Za-z]{2,}[ ,.]+[A-Za-z]{2,}[ ,.]+[A-Za-z]{2,}/.test(text) : /\p{Script=Han}/u.test(text)) bad.push(text.slice(0, 60));
	}
	return bad;
})()`
