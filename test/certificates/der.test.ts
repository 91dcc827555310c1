import assert from 'node:assert/strict'
import { isDer } from '../../src/certificates/der.js'

describe('DER', () => {
  const bad: [string, string][] = [
    ['nothing', ''],
    ['a tag without a length', '30'],
    ['less content than announced', '0401'],
    ['bytes behind it', '050000'],
    ['an indefinite length', '30800000'],
    ['a long length for a short content', '04810100'],
    ['a length with a leading zero', `0482008000${'00'.repeat(127)}`],
    ['a length of 33 bytes', '30a100'],
    ['a primitive SEQUENCE', '1000'],
    ['a primitive SET', '1100'],
    ['a constructed INTEGER', '2203020101'],
    ['a constructed OCTET STRING', '2403040100'],
    ['an end of contents', '0000'],
    ['a TRUE that is not ff', '010101'],
    ['a BOOLEAN of two bytes', '0102ffff'],
    ['an INTEGER without digits', '0200'],
    ['an INTEGER with a needless zero', '02020001'],
    ['an INTEGER with a needless ff', '0202ff80'],
    ['a NULL that holds something', '050100'],
    ['a high tag number', '1f0100'],
    ['any of this further inside', '30053003010101'],
    ['the same inside a context tag', 'a003010101'],
  ]
  for (const [title, hex] of bad) {
    it(`is not ${title}`, () => assert.equal(isDer(Buffer.from(hex, 'hex')), false))
  }

  it('is everything else', () => {
    const good = ['0500', '3000', '0101ff', '010100', '020100', '02020080', '0201ff', 'a003020102']
    for (const hex of [...good, `048180${'00'.repeat(128)}`, '800101', '30060201010101ff']) {
      assert.equal(isDer(Buffer.from(hex, 'hex')), true, hex)
    }
  })
})
