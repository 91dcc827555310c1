import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { GERMAN } from '../../src/demo/browser/german.js'
import { t } from '../../src/demo/browser/texts.js'

const FOLDER = join(import.meta.dirname, '../../src/demo/browser')
const sources = readdirSync(FOLDER)
  .filter((name) => /\.tsx?$/.test(name) && name !== 'german.ts')
  .map((name) => readFileSync(join(FOLDER, name), 'utf8'))
  .join('\n')

/** Literals where texts for people stand: in `t`, and what is handed to it later. */
const TEXTS = [
  /\bt\(\s*'((?:[^'\\]|\\.)+)'/g,
  /#(?:attempt|busy|warn|tell)\(\s*'((?:[^'\\]|\\.)+)'/g,
  /\b(?:title|text): '((?:[^'\\]|\\.)+)'/g,
  /new Error\(\s*'((?:[^'\\]|\\.)+)'/g,
]

describe('The texts of the demo application', () => {
  afterEach(() => {
    Reflect.deleteProperty(globalThis, 'document')
  })
  const pageIn = (lang: string) => {
    Object.assign(globalThis, { document: { documentElement: { lang } } })
  }

  it('are all there in German', () => {
    const texts = TEXTS.flatMap((pattern) => [...sources.matchAll(pattern)].map(([, text]) => text))
    assert.ok(texts.length > 100, String(texts.length))
    const untold = texts.filter((text) => text !== undefined && !(text in GERMAN))
    // Never shown: the page has no place for the application then.
    assert.deepEqual(untold, ['The page has no place for the application'])
  })

  it('are all in use', () => {
    const unused = Object.keys(GERMAN).filter((text) => !sources.includes(text))
    assert.deepEqual(unused, [])
  })

  it('have the same values in both languages', () => {
    const values = (text: string) => [...text.matchAll(/\{\w+\}/g)].map(([value]) => value).sort()
    for (const [english, german] of Object.entries(GERMAN)) {
      assert.deepEqual(values(german), values(english), english)
    }
  })

  it('come in the language of the page, in English where that is another', () => {
    const said = () => t('Remove {name}', { name: 'a.pdf' })
    assert.equal(said(), 'Remove a.pdf')
    pageIn('de')
    assert.equal(said(), 'a.pdf entfernen')
    pageIn('fr')
    assert.equal(said(), 'Remove a.pdf')
  })
})
