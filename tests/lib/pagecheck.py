"""What is asked of a page in a browser; each is an expression of JavaScript."""

# Texts whose colour differs from their ground by less than WCAG's level AA asks: 4.5 to 1, or 3 to 1
# for large letters. A ground is the nearest one that is not transparent.
WEAK_TEXTS = """
(() => {
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const light = c => c.slice(0, 3).map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = e => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  const weak = [];
  for (const e of document.body.querySelectorAll('*')) {
    if (!Array.from(e.childNodes).some(n => n.nodeType === 3 && n.data.trim()) || e.closest('title, desc')) continue;
    const style = getComputedStyle(e), size = parseFloat(style.fontSize);
    if (style.display === 'none') continue;
    const a = light(parse(e.namespaceURI.endsWith('svg') ? style.fill : style.color)), b = light(ground(e));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const large = size >= 24 || size >= 18.66 && style.fontWeight >= 700;
    if (ratio < (large ? 3 : 4.5)) weak.push(`${e.tagName} "${e.textContent.slice(0, 40)}" ${ratio.toFixed(2)}`);
  }
  return weak;
})()"""

# What is wider than its place: the page itself, and what scrolls within it.
TOO_WIDE = """
[document.documentElement, ...document.querySelectorAll('.scroll')]
  .filter(e => e.scrollWidth > e.clientWidth)
  .map(e => `${e.tagName} ${e.scrollWidth} of ${e.clientWidth}: ${e.textContent.trim().slice(0, 40)}`)"""

# What somebody who does not see the page would miss.
UNSAID = """
(() => {
  const amiss = [];
  for (const e of document.querySelectorAll('body svg'))
    if (e.ariaHidden !== 'true' && !(e.getAttribute('role') === 'img' && e.getAttribute('aria-label')))
      amiss.push('a drawing without words');
  for (const e of document.querySelectorAll('th'))
    if (!e.getAttribute('scope')) amiss.push(`th ${e.textContent}`);
  for (const e of document.querySelectorAll('[aria-labelledby]'))
    if (!document.getElementById(e.getAttribute('aria-labelledby'))) amiss.push('a label that is not there');
  const levels = Array.from(document.querySelectorAll('h1, h2, h3, h4, h5, h6'), e => +e.tagName[1]);
  levels.forEach((level, i) => { if (level > (levels[i - 1] || 0) + 1) amiss.push(`heading ${i} of level ${level}`); });
  if (levels.filter(level => level === 1).length !== 1) amiss.push('not one h1');
  if (!document.documentElement.lang || !document.title) amiss.push('no language, or no title');
  if (document.querySelectorAll('main').length !== 1) amiss.push('not one main');
  return amiss;
})()"""

# Elements that no page of ours has: whatever makes them has come from a text.
STRANGE = "Array.from(document.querySelectorAll('script, img, a, iframe, object, form, base, body style, [onerror]'), e => e.outerHTML)"

NAMES = "Array.from(document.querySelectorAll('bdi.name'), e => e.title || e.textContent)"
TEXT = "document.body.innerText"

# What would happen if a text ever got out of its place: the page's own policy forbids it.
INJECTED = """
(() => {
  const script = document.createElement('script');
  script.textContent = 'window.ran = 1';
  document.body.append(script);
  const image = document.createElement('img');
  image.setAttribute('onerror', 'window.ran = 2');
  image.src = 'http://127.0.0.1:9/x';
  image.setAttribute('style', 'width: 77px');
  document.body.append(image);
  return [window.ran || 0, image.style.width === '77px' && getComputedStyle(image).width === '77px'];
})()"""
