import assert from 'node:assert/strict'
import {
  FINDINGS,
  findingText,
  REPORT_LANGUAGES,
  type FindingCode,
} from '../../src/verification/messages.js'

describe('Sentences of a report', () => {
  const codes = Object.keys(FINDINGS) as FindingCode[]

  it('are whole, with something to name and without', () => {
    for (const code of codes) {
      for (const lang of REPORT_LANGUAGES) {
        const [named, unnamed] = [findingText(code, 'x', lang), findingText(code, '', lang)]
        assert.doesNotMatch(`${named} ${unnamed}`, /[{}]|\(\s*\)/, `${code} ${lang}`)
        assert.match(unnamed, /[.]$/, `${code} ${lang}`)
      }
    }
  })

  it('say everything in their language, and names as they are', () => {
    const about = 'annotation, page object 3'
    assert.match(findingText('changed-after-signing', about, 'de'), /Anmerkung, page object 3/)
    assert.match(findingText('timestamp-not-valid', 'archive', 'fr'), /\(d’archivage\)/)
    assert.match(findingText('file-missing', 'document', 'es'), /contenedor: document\./)
    assert.match(findingText('file-missing', '$& $1', 'en'), /\$& \$1/)
  })
})
