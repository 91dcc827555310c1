import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import {
  renderApproval,
  renderConsent,
  renderError,
  renderSecondFactor,
  renderSignIn,
  type ApprovalItem,
  type ApprovalView,
  type ErrorView,
  type SecondFactorView,
  type SignInView,
} from '../../src/oauth/pages/index.js'
import { displayText } from '../../src/pages/display-text.js'
import { chooseLanguage, LANGUAGES } from '../../src/pages/language.js'

const form = {
  lang: 'en',
  action: '/interaction/i-1',
  client: { name: 'Contract Portal' },
} as const

function signIn(view: Partial<SignInView> = {}): string {
  return renderSignIn({ ...form, scope: 'service', ...view })
}

function secondFactor(view: Partial<SecondFactorView> = {}): string {
  return renderSecondFactor({ ...form, ...view })
}

function item(content: string, label?: string): ApprovalItem {
  const digest = createHash('sha256').update(content).digest()
  return {
    digestHex: digest.toString('hex'),
    digestBase64: digest.toString('base64'),
    ...(label === undefined ? {} : { label }),
  }
}

function approval(view: Partial<ApprovalView> = {}): string {
  const items = view.items ?? [item('contract', 'contract.pdf')]
  return renderApproval({
    ...form,
    user: { displayName: 'Erika Mustermann' },
    credentials: [
      {
        id: 'credential-1',
        description: 'Signing key of Erika',
        certificate: { subject: 'CN=Erika Mustermann,C=DE', serialNumber: '5f2a91' },
      },
    ],
    numSignatures: items.length,
    validFor: 300,
    expiresAt: new Date('2026-03-04T14:32:00Z'),
    hashAlgorithm: 'SHA-256',
    items,
    asks: { pin: true, otp: true },
    ...view,
  })
}

function error(view: Partial<ErrorView> = {}): string {
  return renderError({ lang: 'en', error: 'invalid_request', ...view })
}

const everyPage = (lang: 'en' | 'de'): Record<string, string> => ({
  'sign-in': signIn({ lang }),
  'second factor': secondFactor({ lang }),
  consent: renderConsent({ ...form, lang, user: { displayName: 'Erika' } }),
  approval: approval({ lang }),
  error: error({ lang }),
})

/** What a person reads: no tags, entities resolved, white space as the browser shows it. */
function text(html: string): string {
  return html
    .replace(/<(style|svg)[\s\S]*?<\/\1>/g, '')
    .replace(/<wbr\s*\/?>/g, '')
    .replace(/<\/?(span|bdi|strong|time|code)\b[^>]*>/g, '')
    .replace(/<[^>]+>/g, ' ')
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&quot;/g, '"')
    .replace(/&amp;/g, '&')
    .replace(/\s+/g, ' ')
}

function tags(html: string, name: string): string[] {
  return html.match(new RegExp(`<${name}\\b[^>]*>`, 'g')) ?? []
}

function attribute(tag: string | undefined, name: string): string | undefined {
  return tag?.match(new RegExp(`\\s${name}="([^"]*)"`))?.[1]
}

function field(html: string, name: string): string | undefined {
  return tags(html, 'input').find((tag) => attribute(tag, 'name') === name)
}

function actions(html: string): (string | undefined)[] {
  return tags(html, 'button').map((tag) => attribute(tag, 'value'))
}

describe('The pages of the authorization server (S47)', () => {
  for (const lang of LANGUAGES) {
    for (const [name, html] of Object.entries(everyPage(lang))) {
      describe(`${name} (${lang})`, () => {
        it('is a complete HTML document that states its language and title', () => {
          assert.ok(html.startsWith('<!DOCTYPE html>\n<html'))
          assert.equal(attribute(tags(html, 'html')[0], 'lang'), lang)
          assert.match(html, /<title>[^<]+ – OpenRSSP<\/title>/)
          assert.ok(html.trimEnd().endsWith('</html>'))
        })

        it('works without script and passes a policy that forbids inline style and script', () => {
          assert.doesNotMatch(html, /<script|<style|\sstyle=|\son[a-z]+=|javascript:/i)
        })

        it('loads nothing from elsewhere', () => {
          for (const tag of [...tags(html, 'link'), ...tags(html, 'img')]) {
            assert.match(attribute(tag, 'href') ?? '', /^(\/assets\/pages\.css$|data:image\/svg)/)
          }
        })

        it('asks not to be indexed and not to be named as referrer', () => {
          assert.match(html, /<meta name="robots" content="noindex, nofollow"/)
          assert.match(html, /<meta name="referrer" content="no-referrer"/)
        })

        it('has one main region, one first heading, and a label for every visible field', () => {
          assert.equal(tags(html, 'main').length, 1)
          assert.equal(tags(html, 'h1').length, 1)
          const labelled = tags(html, 'label').map((tag) => attribute(tag, 'for'))
          const visible = tags(html, 'input').filter((tag) => attribute(tag, 'type') !== 'hidden')
          assert.deepEqual(
            visible.map((tag) => attribute(tag, 'id')),
            labelled,
          )
        })

        it('refers only to ids that are there, and gives none twice', () => {
          const ids = [...html.matchAll(/\sid="([^"]+)"/g)].map((match) => match[1])
          assert.equal(new Set(ids).size, ids.length)
          for (const [, list = ''] of html.matchAll(
            /\saria-(?:describedby|labelledby)="([^"]+)"/g,
          )) {
            for (const id of list.split(' ')) assert.ok(ids.includes(id), id)
          }
        })
      })
    }
  }

  it('posts every form back with its CSRF value', () => {
    const pages = Object.entries(everyPage('en')).filter(([name]) => name !== 'error')
    for (const tag of pages.flatMap(([, html]) => tags(html, 'form'))) {
      assert.equal(attribute(tag, 'method'), 'post')
      assert.equal(attribute(tag, 'action'), '/interaction/i-1')
    }
  })

  it('lets Enter agree, and lets people refuse with empty fields', () => {
    assert.deepEqual(actions(signIn()), ['continue', 'reject'])
    // The last is that of the form for a recovery code.
    assert.deepEqual(actions(secondFactor()), ['continue', 'reject', 'continue'])
    assert.deepEqual(actions(everyPage('en')['consent'] ?? ''), ['continue', 'reject'])
    assert.deepEqual(actions(approval()), ['approve', 'reject'])
    for (const html of [signIn(), secondFactor(), approval()]) {
      const [agree, reject] = tags(html, 'button')
      assert.equal(attribute(agree, 'name'), 'action')
      assert.equal(attribute(reject, 'name'), 'action')
      assert.match(reject ?? '', /\sformnovalidate/i)
      assert.doesNotMatch(agree ?? '', /\sformnovalidate/i)
    }
  })
})

describe('The sign-in page', () => {
  it('says who asks, and what signing in allows', () => {
    assert.match(text(signIn()), /Contract Portal asks to see your signing credentials\./)
    assert.match(
      text(signIn({ scope: 'credential' })),
      /Contract Portal asks you for a signature\./,
    )
    assert.match(text(signIn({ lang: 'de' })), /möchte Ihre Signaturzertifikate einsehen/)
  })

  it('has fields that password managers recognise', () => {
    assert.equal(attribute(field(signIn(), 'username'), 'autocomplete'), 'username')
    assert.equal(attribute(field(signIn(), 'password'), 'autocomplete'), 'current-password')
    assert.equal(attribute(field(signIn(), 'password'), 'type'), 'password')
  })

  it('keeps the user name, but never a password', () => {
    const html = signIn({ username: 'erika', problem: 'wrong-credentials' })
    assert.equal(attribute(field(html, 'username'), 'value'), 'erika')
    assert.equal(attribute(field(html, 'password'), 'value'), undefined)
  })

  it('announces a problem in the title, as an alert, and at the fields', () => {
    const html = signIn({ problem: 'wrong-credentials' })
    assert.match(html, /<title>Problem: Sign in – OpenRSSP<\/title>/)
    assert.match(html, /role="alert"/)
    assert.equal(attribute(field(html, 'username'), 'aria-invalid'), 'true')
    assert.match(attribute(field(html, 'password'), 'aria-describedby') ?? '', /\bproblem\b/)
  })

  it('does not tell whether the user name or the password was wrong', () => {
    assert.match(
      text(signIn({ problem: 'wrong-credentials' })),
      /User name or password is not correct/,
    )
  })

  it('shows no problem when there is none', () => {
    assert.doesNotMatch(signIn(), /role="alert"|aria-invalid/)
  })
})

describe('The second-factor page', () => {
  it('asks for a numeric code that the device may fill in', () => {
    const otp = field(secondFactor(), 'otp')
    assert.equal(attribute(otp, 'inputmode'), 'numeric')
    assert.equal(attribute(otp, 'autocomplete'), 'one-time-code')
  })

  it('tells a used code from a wrong one', () => {
    assert.match(text(secondFactor({ problem: 'wrong-code' })), /code is not correct/)
    assert.match(
      text(secondFactor({ problem: 'used-code' })),
      /used already\. Please wait until your app shows the next one/,
    )
  })

  it('says until when it is locked, with the time zone', () => {
    const lockedUntil = new Date('2026-03-04T14:32:00Z')
    assert.match(text(secondFactor({ problem: { lockedUntil } })), /4 March at 14:32 UTC/)
    assert.match(
      text(secondFactor({ lang: 'de', timeZone: 'Europe/Berlin', problem: { lockedUntil } })),
      /bis zum 4\. März um 15:32 MEZ gesperrt/,
    )
  })
})

describe('The approval page', () => {
  it('shows who asks, what for, who signs, how many, for how long and with which certificate', () => {
    const shown = text(approval({ description: 'Lease agreement' }))
    for (const fact of [
      /Contract Portal asks you for one signature\./,
      /Lease agreement/,
      /Erika Mustermann/,
      /Signatures 1 /,
      /5 minutes after your approval/,
      /Please decide by 4 March at 14:32 UTC\./,
      /Signing key of Erika/,
      /CN=Erika Mustermann,C=DE/,
      /5f2a91/,
      /SHA-256/,
    ]) {
      assert.match(shown, fact)
    }
  })

  it('shows every digest in full, in order, in hexadecimal and machine-readable', () => {
    const items = Array.from({ length: 250 }, (_, i) => item(`document ${i}`))
    const html = approval({ items })
    const shown = [
      ...html.matchAll(/<data class="fingerprint" value="([^"]+)">([\s\S]*?)<\/data>/g),
    ]
    assert.deepEqual(
      shown.map(([, base64, hex = '']) => ({
        digestBase64: base64,
        digestHex: hex.replace(/<[^>]+>/g, ''),
      })),
      items.map(({ digestBase64, digestHex }) => ({ digestBase64, digestHex })),
    )
    assert.doesNotMatch(html, /<details/)
  })

  it('names documents by their label, and those without one by their place', () => {
    const shown = text(
      approval({ items: [item('a', 'contract.pdf'), item('b'), item('c', '\u200b')] }),
    )
    assert.match(shown, /contract\.pdf/)
    assert.match(shown, /Document 2/)
    assert.match(shown, /Document 3/)
  })

  it('lets the keyboard scroll a long list, which has a heading with the count', () => {
    const html = approval({ items: Array.from({ length: 12 }, (_, i) => item(`${i}`)) })
    assert.match(html, /class="scroll" role="group" aria-labelledby="items" tabindex="0"/i)
    assert.match(html, /<h2 id="items">What you sign \(12\)<\/h2>/)
  })

  it('asks for exactly the factors it is told to', () => {
    for (const pin of [true, false]) {
      for (const otp of [true, false]) {
        const html = approval({ asks: { pin, otp } })
        assert.equal(field(html, 'pin') !== undefined, pin)
        assert.equal(field(html, 'otp') !== undefined, otp)
      }
    }
  })

  it('is an explicit act: no checkbox, nothing filled in, nothing chosen beforehand (S12)', () => {
    const html = approval()
    assert.doesNotMatch(html, /type="(checkbox|radio)"|\schecked/)
    assert.equal(attribute(field(html, 'pin'), 'value'), undefined)
    assert.equal(attribute(field(html, 'otp'), 'value'), undefined)
  })

  it('marks the field that was wrong, and only that', () => {
    const wrongPin = approval({ problem: 'wrong-pin' })
    assert.equal(attribute(field(wrongPin, 'pin'), 'aria-invalid'), 'true')
    assert.equal(attribute(field(wrongPin, 'otp'), 'aria-invalid'), undefined)
    const wrongCode = approval({ problem: 'wrong-code' })
    assert.equal(attribute(field(wrongCode, 'pin'), 'aria-invalid'), undefined)
    assert.equal(attribute(field(wrongCode, 'otp'), 'aria-invalid'), 'true')
  })

  it('speaks German', () => {
    const shown = text(approval({ lang: 'de', items: [item('a'), item('b')] }))
    assert.match(shown, /Diese 2 Signaturen freigeben\?/)
    assert.match(shown, /Contract Portal bittet Sie um 2 Signaturen\./)
    assert.match(shown, /5 Minuten ab Ihrer Freigabe/)
  })
})

describe('The error page', () => {
  it('explains in plain words and gives developers the code and the description', () => {
    const shown = text(error({ description: 'redirect_uri is missing', reference: 'r-17' }))
    assert.match(shown, /This request cannot be processed/)
    assert.match(shown, /Error invalid_request Description redirect_uri is missing Reference r-17/)
  })

  it('does not send anyone back unless told where', () => {
    assert.deepEqual(tags(error(), 'a'), [])
  })

  it('links back to the application', () => {
    const html = error({
      backTo: { href: 'https://app.example/?a=1&b=2', name: 'Contract Portal' },
    })
    assert.equal(attribute(tags(html, 'a')[0], 'href'), 'https://app.example/?a=1&amp;b=2')
    assert.match(text(html), /Back to Contract Portal/)
  })

  for (const href of [
    'javascript:alert(1)',
    'JaVaScRiPt:alert(1)',
    'data:text/html,x',
    '//evil.example',
    'x',
  ]) {
    it(`makes no link of ${href}`, () => {
      assert.deepEqual(tags(error({ backTo: { href, name: 'x' } }), 'a'), [])
    })
  }
})

describe('Text of clients on the pages (S49)', () => {
  const hostile = [
    '<script>alert(1)</script>',
    '"><img src=x onerror=alert(1)>',
    `'" autofocus onfocus=alert(1) x='`,
    '</title><script>alert(1)</script>',
    '</bdi></main><form action=https://evil.example>',
    '{{constructor.constructor("alert(1)")()}}',
    '&lt;script&gt;',
    '<svg/onload=alert(1)>',
    '<!--',
    ']]>',
  ]
  for (const string of hostile) {
    it(`is shown, never interpreted: ${string}`, () => {
      const pages = [
        signIn({ client: { name: string }, username: string }),
        secondFactor({ client: { name: string } }),
        renderConsent({ ...form, client: { name: string }, user: { displayName: string } }),
        approval({
          client: { name: string },
          user: { displayName: string },
          credentials: [
            {
              ...{ id: 'a', description: string },
              certificate: { subject: string, serialNumber: string },
            },
          ],
          description: string,
          items: [item('a', string)],
        }),
        error({
          error: string,
          description: string,
          backTo: { href: 'https://app.example', name: string },
        }),
      ]
      const harmless = Object.values({
        ...everyPage('en'),
        error: error({ backTo: { href: 'https://app.example', name: 'x' } }),
      })
      for (const [index, html] of pages.entries()) {
        for (const name of ['script', 'img', 'form', 'main', 'h1', 'title']) {
          assert.equal(tags(html, name).length, tags(harmless[index] ?? '', name).length, name)
        }
        assert.ok(!html.includes('<!--'))
        assert.ok(!/<[^>]*\son\w+=/.test(html.replace(/"[^"]*"/g, '""')))
      }
      assert.ok(text(pages[3] ?? '').includes(string))
    })
  }

  it('is isolated from the direction of the text around it', () => {
    assert.match(signIn({ client: { name: 'שלום' } }), /<bdi>שלום<\/bdi>/)
  })

  it('is replaced by words when nothing visible is left', () => {
    assert.match(
      text(signIn({ client: { name: '\u202e\u200b' } })),
      /An application without a name asks/,
    )
  })

  it('is cut at the length the specification allows', () => {
    const html = approval({ description: 'x'.repeat(5000) })
    assert.ok(html.includes(`${'x'.repeat(499)}…`))
    assert.ok(!html.includes('x'.repeat(500)))
  })

  const disguises: Record<string, string> = {
    'right-to-left override': 'invoice\u202Efdp.exe',
    'left-to-right override': 'invoice\u202Dfdp.exe',
    embedding: '\u202Ainvoice\u202Bfdp.exe\u202C',
    isolates: '\u2066invoice\u2067fdp\u2068.exe\u2069',
    marks: 'in\u200Evoice\u200Ffdp\u061C.exe',
    'zero-width space': 'in\u200Bvoicefdp.exe',
    'zero-width joiners': 'in\u200Cvo\u200Dicefdp.exe',
    'word joiner and byte order mark': 'in\u2060voice\uFEFFfdp.exe',
    'soft hyphen': 'in\u00ADvoicefdp.exe',
    'grapheme joiner': 'in\u034Fvoicefdp.exe',
    'Hangul fillers': 'in\u3164vo\u115Fi\uFFA0cefdp.exe',
    'Braille blank': 'in\u2800voicefdp.exe',
    'variation selectors': 'in\uFE0Fvoice\u{E0101}fdp.exe',
    'tag characters': 'invoice\u{E0066}\u{E0064}fdp.exe',
    'invisible operators': 'in\u2062voicefdp.exe',
    'lone surrogate': 'invoice\uD800fdp.exe',
    'private use': 'invoice\uE000fdp.exe',
    'interlinear annotation': '\uFFF9invoice\uFFFAfdp\uFFFB.exe',
  }
  for (const [name, string] of Object.entries(disguises)) {
    it(`loses disguises: ${name}`, () => {
      assert.equal(displayText(string, 100), 'invoicefdp.exe')
    })
  }

  it('is one line: control characters and white space of any kind become single spaces', () => {
    assert.equal(
      displayText(' a\r\n\tb\u2028c\u2029d\u00a0\u3000e\u0000f\u001b[31m ', 100),
      'a b c d e f [31m',
    )
  })

  it('does not pile up combining marks', () => {
    assert.equal([...displayText(`q${'\u0300'.repeat(50)}!`, 100)].length, 6)
  })

  it('keeps letters, accents, other scripts and emoji as they are', () => {
    for (const string of [
      'Größe & Straße',
      'Łódź',
      'Договор № 5',
      '契約書',
      'สัญญา',
      'قرارداد',
      'नमस्ते',
      '✍🏽 ok',
    ]) {
      assert.equal(displayText(string, 100), string.normalize('NFC'))
    }
  })

  it('counts characters, not halves of them', () => {
    assert.equal(displayText('😀😀😀', 3), '😀😀😀')
    assert.equal(displayText('😀😀😀😀', 3), '😀😀…')
  })
})

describe('The language of the pages', () => {
  const cases: [string, string][] = [
    ['de', 'de'],
    ['de-AT', 'de'],
    ['DE-ch-1996', 'de'],
    ['en-US,en;q=0.9,de;q=0.8', 'en'],
    ['en;q=0.2, de;q=0.7', 'de'],
    ['fr-FR, de;q=0.5, en;q=0.4', 'de'],
    ['fr de en', 'de'],
    ['de;q=0, en', 'en'],
    ['de;q=0', 'en'],
    ['fr', 'en'],
    ['*', 'en'],
    ['', 'en'],
    ['de_DE', 'en'],
    ['not a tag!, de', 'de'],
    ['desperately', 'en'],
    ['<script>', 'en'],
    [`${'x,'.repeat(100_000)}de`, 'en'],
  ]
  for (const [preferences, expected] of cases) {
    it(`of “${preferences.slice(0, 40)}” is ${expected}`, () => {
      assert.equal(chooseLanguage(preferences), expected)
    })
  }
})

describe('The style sheet', () => {
  it('loads nothing', async () => {
    const css = await readFile(new URL('../../src/pages/pages.css', import.meta.url), 'utf8')
    assert.doesNotMatch(css, /@import|url\(/i)
  })

  it('has text that reads at WCAG AA contrast in both colour schemes', async () => {
    const css = await readFile(new URL('../../src/pages/pages.css', import.meta.url), 'utf8')
    const [light = '', dark = ''] = css.split('prefers-color-scheme: dark')
    for (const scheme of [light, dark]) {
      const colour = (name: string) =>
        scheme.match(new RegExp(`--${name}: (#[0-9a-f]{6})`))?.[1] ?? ''
      const pairs: [string, string, number][] = [
        ...['ground', 'surface', 'sunken'].flatMap((ground): [string, string, number][] => [
          ['text', ground, 4.5],
          ['muted', ground, 4.5],
          ['ring', ground, 3],
          ['edge', ground, 3],
        ]),
        ['on-accent', 'accent', 4.5],
        ['on-accent', 'accent-strong', 4.5],
        ['danger', 'danger-ground', 4.5],
      ]
      for (const [fore, ground, least] of pairs) {
        const measured = contrast(colour(fore), colour(ground))
        assert.ok(measured >= least, `${fore} on ${ground}: ${measured.toFixed(2)}`)
      }
    }
  })
})

/** @see WCAG 2.2, “contrast ratio” and “relative luminance” */
function contrast(one: string, other: string): number {
  const [lighter = 0, darker = 0] = [luminance(one), luminance(other)].sort((a, b) => b - a)
  return (lighter + 0.05) / (darker + 0.05)
}

function luminance(colour: string): number {
  const [r = NaN, g = NaN, b = NaN] = [1, 3, 5].map((at) => {
    const channel = Number.parseInt(colour.slice(at, at + 2), 16) / 255
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}
