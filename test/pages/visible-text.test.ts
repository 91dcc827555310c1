import assert from 'node:assert/strict'
import { renderToString } from 'preact-render-to-string'
import { h } from 'preact'
import { VisibleText } from '../../src/pages/visible-text.js'

describe('Text of others, shown as it is', () => {
  const shown = (text: string) =>
    renderToString(h(VisibleText, { text })).replaceAll(
      /<span class="unseen">(.*?)<\/span>/g,
      '[$1]',
    )

  it('has every character that nobody would see there by its number', () => {
    assert.equal(shown('pay \u202e000.1\u202c now'), 'pay [U+202E]000.1[U+202C] now')
    assert.equal(shown('zero\u200bwidth\u2060\ufeff'), 'zero[U+200B]width[U+2060][U+FEFF]')
    assert.equal(shown('a\u0000\u0007\u001b[0m\u0085'), 'a[U+0000][U+0007][U+001B][0m[U+0085]')
    assert.equal(
      shown('\u2028\u2029\u2800\u{e0041}\ue000'),
      '[U+2028][U+2029][U+2800][U+E0041][U+E000]',
    )
    assert.equal(shown('lone\rreturn'), 'lone[U+000D]return')
  })

  it('keeps its lines, its tabs and what people write', () => {
    const text = 'Straße\tžąsis\r\nعربى\nעברית ❤️ 日本語 é'
    assert.equal(shown(text), text.replace('\r\n', '\n'))
  })

  it('has no stacks of marks over the lines around it', () => {
    assert.equal(shown(`a${'\u0301'.repeat(6)}`), `a${'\u0301'.repeat(4)}[U+0301][U+0301]`)
  })

  it('is text, and no part of the page', () => {
    assert.equal(shown('<b onclick="x">&amp;'), '&lt;b onclick=&quot;x&quot;>&amp;amp;')
  })
})
