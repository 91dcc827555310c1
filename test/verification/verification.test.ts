import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { AdesFormat, EnvelopeProperty } from '../../src/documents/ades.js'
import { Asic } from '../../src/documents/asic/asic.js'
import { XadesSigner } from '../../src/documents/asic/xades-signer.js'
import { Cades } from '../../src/documents/cades/cades.js'
import { Jades } from '../../src/documents/jades/jades.js'
import { Pades } from '../../src/documents/pades/pades.js'
import { Xades } from '../../src/documents/xades/xades.js'
import { HASH_ALGORITHMS } from '../../src/keys/algorithms.js'
import { IsolatedProcesses } from '../../src/isolation/isolated-processes.js'
import { ADVICE } from '../../src/verification/advice.js'
import { FINDINGS, REPORT_LANGUAGES } from '../../src/verification/messages.js'
import { Verification, type Submission } from '../../src/verification/verification.js'
import { startRssp, type Rssp } from '../support/rssp.js'
import { Installation } from '../commands/openrssp.js'
import { SigningPki } from '../support/signing-pki.js'
import { writtenPdf } from '../support/written-pdf.js'

const TEXT = Buffer.from('I owe you ten euros.\n')
const ALGORITHM = { scheme: 'ecdsa', hash: HASH_ALGORITHMS.sha256 } as const

describe('POST /verification', () => {
  let rssp: Rssp
  let pki: SigningPki
  let signed: Buffer
  before(async () => {
    pki = new SigningPki()
    rssp = await startRssp({
      settings: {
        limits: { documentBytes: 300_000 },
        validation: { anchorsFile: pki.path('root.pem') },
        verification: { documentsAtOnce: 1, seconds: 60 },
      },
    })
    const signatory = pki.signer('p-256')
    const prepared = await new Cades().prepareDocument(TEXT, {
      ...{ level: 'B-LT', envelope: 'Detached', algorithm: ALGORITHM, signatory },
      ...{ signingTime: new Date(), signedProperties: [], referenceUri: null },
    })
    signed = (await prepared.complete(signatory.sign(prepared.toBeSigned, ALGORITHM), pki)).bytes
  })
  after(async () => {
    await rssp.close()
    pki.close()
  })

  const post = async (body: unknown, headers: Record<string, string> = {}) => {
    const response = await fetch(`${rssp.baseUrl}/verification`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
    return { status: response.status, headers: response.headers, body: await response.json() }
  }
  const submission = (more: Record<string, unknown> = {}) => ({
    document: signed.toString('base64'),
    contents: [{ content: TEXT.toString('base64') }],
    ...more,
  })

  it('reports on a signature in JSON, to anybody', async () => {
    const { status, headers, body } = await post(submission({ name: 'debt.p7s' }))
    assert.equal(status, 200)
    assert.equal(headers.get('cache-control'), 'no-store')
    assert.equal(body.indication, 'TOTAL-PASSED', JSON.stringify(body))
    assert.equal(body.document.name, 'debt.p7s')
    assert.equal(body.signatures[0].level, 'B-LT')
    assert.equal(body.signatures[0].signer.subject, 'CN=signer p-256,O=Test,C=DE')
  })

  it('takes digests in the place of the content', async () => {
    const value = createHash('sha256').update(TEXT).digest('base64')
    const contents = [{ digests: [{ algorithm: 'SHA-256', value }] }]
    assert.equal((await post(submission({ contents }))).body.indication, 'TOTAL-PASSED')
    const wrong = [{ digests: [{ algorithm: 'sha256', value: 'AAAA' }] }]
    const refused = await post(submission({ contents: wrong }))
    assert.equal(refused.body.signatures[0].subIndication, 'HASH_FAILURE')
  })

  it('says it in the language asked for', async () => {
    const texts = await Promise.all(
      ['en', 'de', 'fr-CH', 'es', 'tlh'].map(async (lang) => {
        const { body } = await post(submission({ contents: [], lang }))
        return body.signatures[0].findings[0].text as string
      }),
    )
    const expected = (['en', 'de', 'fr', 'es', 'en'] as const).map((lang) =>
      FINDINGS['content-missing'][lang].replace('{}', 'SHA-256'),
    )
    assert.deepEqual(texts, expected)
  })

  it('says what to do about it, in the same language, and nothing where all is well', async () => {
    const advised = async (body: unknown) => (await post(body)).body.signatures[0].advice as unknown
    for (const lang of ['en', 'de', 'fr', 'es'] as const) {
      const advice = await advised(submission({ contents: [], lang }))
      assert.equal(advice, ADVICE.SIGNED_DATA_NOT_FOUND[lang])
    }
    assert.equal(await advised(submission()), null)
  })

  const invalid = (parameter: string) => `Invalid parameter ${parameter}`
  const refusals: readonly [string, unknown, number, string][] = [
    ['no document', {}, 400, 'Missing (or invalid type) string parameter document'],
    ['a number', { document: 5 }, 400, 'Missing (or invalid type) string parameter document'],
    ['no Base64', { document: '%%%' }, 400, invalid('document')],
    ['content of nothing', { document: 'AAAA', contents: [{}] }, 400, invalid('contents')],
    [
      'an unknown hash',
      { document: 'AAAA', contents: [{ digests: [{ algorithm: 'CRC-32', value: 'AAAA' }] }] },
      ...([400, invalid('contents')] as const),
    ],
    ['a list', [], 400, 'malformed'],
    ['no JSON', '{', 400, 'malformed'],
    ['too much', { document: 'A'.repeat(2_000_000) }, 413, 'too large'],
  ]
  for (const [what, body, status, words] of refusals) {
    it(`refuses ${what}`, async () => {
      const answer = await post(body)
      assert.equal(answer.status, status)
      assert.equal(answer.body.error, 'invalid_request')
      assert.ok(answer.body.error_description.includes(words), answer.body.error_description)
    })
  }

  it('answers no other method', async () => {
    const response = await fetch(`${rssp.baseUrl}/verification`, { method: 'PUT' })
    assert.equal(response.status, 405)
    assert.equal(response.headers.get('allow'), 'GET, POST')
  })

  it('reports on anything whatsoever', async () => {
    const things = [
      '',
      'hello',
      '%PDF-1.7 no',
      '<a><b></a>',
      '{"payload":1}',
      'PK\x03\x04',
      '0\x84',
    ]
    for (const thing of things) {
      const document = Buffer.from(thing, 'latin1').toString('base64') || 'AA=='
      const { status, body } = await post({ document })
      assert.equal(status, 200, thing)
      assert.equal(body.indication, 'TOTAL-FAILED', thing)
    }
  })

  const upload = async (files: Record<string, [Buffer, string]>, lang = 'en') => {
    const form = new FormData()
    for (const [name, [bytes, file]] of Object.entries(files))
      form.set(name, new Blob([new Uint8Array(bytes)]), file)
    form.set('lang', lang)
    const response = await fetch(`${rssp.baseUrl}/verification`, { method: 'POST', body: form })
    return { status: response.status, headers: response.headers, text: await response.text() }
  }

  it('has a page with a form that needs no script', async () => {
    const response = await fetch(`${rssp.baseUrl}/verification`, {
      headers: { 'Accept-Language': 'fr' },
    })
    const text = await response.text()
    assert.match(text, /<h1>Vérifier des signatures<\/h1>/)
    assert.match(text, /enctype="multipart\/form-data"/)
    assert.match(text, /<label for="document">/)
    assert.doesNotMatch(text, /<script/)
    assert.match(response.headers.get('content-security-policy') ?? '', /default-src 'none'/)
  })

  it('shows the report on a page, in each of its languages', async () => {
    const files = { document: [signed, 'debt.p7s'], content: [TEXT, 'debt.txt'] } as const
    const titles = ['Valid', 'Gültig', 'Valide', 'Válida']
    for (const [at, lang] of REPORT_LANGUAGES.entries()) {
      const { status, text } = await upload({ ...files } as never, lang)
      assert.equal(status, 200)
      assert.match(text, new RegExp(`<h1>${titles[at]}</h1>`))
      assert.match(text, /CN=signer p-256/)
    }
  })

  it('shows names of files as text and nothing else', async () => {
    const name = '<img src=x onerror=alert(1)>.pdf'
    const { text } = await upload({ document: [Buffer.from('hello'), name] })
    assert.doesNotMatch(text, /<img/)
  })

  it('asks again when no file was chosen, one is too large, or the form is not one', async () => {
    assert.equal((await upload({})).status, 400)
    assert.equal((await upload({ document: [Buffer.alloc(400_000), 'x'] })).status, 413)
    const broken = await fetch(`${rssp.baseUrl}/verification`, {
      method: 'POST',
      headers: { 'Content-Type': 'multipart/form-data; boundary=x' },
      body: '--x\r\nno form at all',
    })
    assert.equal(broken.status, 400)
  })

  it('trusts our own authority, and knows of its own what was revoked', async () => {
    const { custody, credentials } = rssp.services
    const credential = await rssp.addCredential(await rssp.addUser())
    const [certificate, ...chain] = credential.certificates
    assert.ok(certificate)
    const prepared = await new Cades().prepareDocument(TEXT, {
      ...{ level: 'B-B', envelope: 'Attached', algorithm: ALGORITHM },
      signatory: { certificate, chain },
      ...{ signingTime: new Date(), signedProperties: [], referenceUri: null },
    })
    const digest = createHash('sha256').update(prepared.toBeSigned).digest()
    const [value] = await custody.sign(credential.keyId, [digest], ALGORITHM)
    assert.ok(value)
    const document = (await prepared.complete(value, pki)).bytes.toString('base64')
    const before = await post({ document })
    assert.equal(before.body.indication, 'TOTAL-PASSED', JSON.stringify(before.body))
    await credentials.revoke(credential.id, 'lost')
    const after = await post({ document })
    assert.equal(
      after.body.signatures[0].subIndication,
      'REVOKED_NO_POE',
      JSON.stringify(after.body),
    )
  })

  it('reads every format in isolation', async () => {
    const signatory = pki.signer('p-256')
    const xml = Buffer.from('<debt><owed>ten euros</owed></debt>')
    const formats: [AdesFormat, Buffer, EnvelopeProperty][] = [
      [new Xades(), xml, 'Enveloped'],
      [new Jades(), TEXT, 'Attached'],
      [new Pades(), writtenPdf(), 'Revision'],
      [new Asic(new XadesSigner(), 'ASiC-E'), TEXT, 'Detached'],
    ]
    for (const [ades, content, envelope] of formats) {
      const prepared = await ades.prepareDocument(content, {
        ...{ level: 'B-LT', envelope, algorithm: ALGORITHM, signatory },
        ...{ signingTime: new Date(), signedProperties: [], referenceUri: null },
      })
      const value = signatory.sign(prepared.toBeSigned, ALGORITHM)
      const { bytes } = await prepared.complete(value, pki)
      const { body } = await post({ document: bytes.toString('base64') })
      assert.equal(body.indication, 'TOTAL-PASSED', JSON.stringify(body))
    }
  })
})

describe('Verification', () => {
  const isolated = new IsolatedProcesses({ processes: 1, seconds: 1, memoryMegabytes: 600 })
  after(() => isolated.close())
  const verification = new Verification({
    ...{ isolated, source: null, anchors: () => [], now: () => new Date('2026-11-22T12:00:00Z') },
  })
  const of = (document: Buffer): Submission => ({ name: 'x', document, contents: [] })

  it('gives a report, not an error, on documents that take too long or too much (S64)', async () => {
    const deep = Buffer.concat([Buffer.alloc(400_000, '['), Buffer.alloc(400_000, ']')])
    const hostile = [
      Buffer.concat([Buffer.from('{"payload":'), deep]),
      Buffer.concat([Buffer.from('<a>'.repeat(200_000)), Buffer.from('x')]),
      Buffer.concat(Array.from({ length: 60_000 }, () => Buffer.from([0x30, 0x80]))),
      Buffer.from([0x30, 0x84, 0x7f, 0xff, 0xff, 0xff, 0x00]),
      Buffer.from(`%PDF-1.7\n${'1 0 obj << /Kids '.repeat(50_000)}\nstartxref\n9\n%%EOF`),
    ]
    for (const each of hostile) {
      const report = await verification.verify(of(each), 'en')
      assert.equal(report.indication, 'TOTAL-FAILED')
      assert.equal(report.findings[0]?.severity, 'error')
    }
  })

  it('has every sentence in every language', () => {
    for (const [code, sentence] of Object.entries(FINDINGS)) {
      const placeholders = REPORT_LANGUAGES.map((lang) => sentence[lang].split('{}').length)
      assert.equal(new Set(placeholders).size, 1, code)
    }
  })
})

describe('openrssp verify', () => {
  let pki: SigningPki
  before(() => (pki = new SigningPki()))
  after(() => pki.close())

  it('says by text and exit code what it thinks of a file', async () => {
    const { verifyCommand } = await import('../../src/commands/verify.js')
    const { Command } = await import('commander')
    const file = join(pki.directory, 'debt.p7m')
    writeFileSync(file, pki.opensslSign(TEXT, pki.signer('p-256') && 'signer-p-256', ['-cades']))
    const lines: string[] = []
    const write = process.stdout.write.bind(process.stdout)
    process.stdout.write = (text: string) => lines.push(text) > 0
    try {
      const program = new Command()
      verifyCommand(program)
      const run = (...options: string[]) =>
        program.parseAsync(['node', 'openrssp', 'verify', file, '--offline', ...options])
      await run('--anchors', pki.path('chain.pem'))
      assert.equal(process.exitCode, 2)
    } finally {
      process.stdout.write = write
      process.exitCode = 0
    }
    assert.match(lines.join(''), /Signature 1: Undecided \(INDETERMINATE, TRY_LATER\)/)
    assert.match(lines.join(''), /CN=signer p-256/)
  })

  it('trusts what an installation trusts, and stays until the answer is there', async () => {
    const installation = await Installation.make()
    try {
      const file = join(installation.folder, 'debt.p7m')
      writeFileSync(file, pki.opensslSign(TEXT, pki.signer('p-256') && 'signer-p-256', ['-cades']))
      assert.equal((await installation.run('authority', 'renew', 'ocsp')).code, 0)
      const { code, stdout, stderr } = await installation.run('verify', file, '--offline')
      assert.equal(code, 2, stderr)
      assert.match(stdout, /INDETERMINATE, NO_CERTIFICATE_CHAIN_FOUND/)
    } finally {
      installation.remove()
    }
  })
})
