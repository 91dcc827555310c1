import assert from 'node:assert/strict'
import type { Credential } from '../../src/credentials/credential.js'
import type { PasskeyPurpose } from '../../src/identity/passkeys.js'
import { totpCode } from '../../src/identity/totp.js'
import { change, sql, type Statement } from '../../src/storage/database.js'
import {
  approvalPage,
  asAnswer,
  asPage,
  codeGrant,
  credentialRequest,
  openPage,
  requestToken,
  serviceRequest,
} from '../oauth/application.js'
import { questionOf, SoftwareAuthenticator, type Faults } from '../support/authenticator.js'
import {
  digestOf,
  ECDSA_SHA256,
  startRssp,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'
import { SignerBrowser, textOf, type Page } from '../support/signer-browser.js'

const DIGEST = digestOf('contract')
const OTHER_DIGEST = digestOf('another contract')

const NOT_ACCEPTED = /The answer of the passkey could not be accepted/
const UNKNOWN = /This passkey is not accepted here/
const TOO_LATE = /That answer came too late, or was given before/
const COPIED = /it looks as if it had been copied/

describe('Passkeys', () => {
  let rssp: Rssp
  let client: TestClient
  let user: TestUser
  let credential: Credential
  let device: SoftwareAuthenticator
  let browser: SignerBrowser
  let seen = 0

  before(async () => {
    rssp = await startRssp({ host: 'localhost' })
    client = await rssp.addClient()
  })
  after(() => rssp.close())

  beforeEach(async () => {
    user = await rssp.addUser()
    credential = await rssp.addCredential(user, { approvalFactor: 'passkey' })
    device = await enrolled(user)
    browser = new SignerBrowser(rssp.baseUrl)
    seen = (await rssp.auditEvents()).length
  })

  const enrolling: PasskeyPurpose = { purpose: 'enrolment', clientId: null, facts: ['enrolment'] }

  async function accountOf({ id }: TestUser) {
    const account = await rssp.services.accounts.find(id)
    return account ?? assert.fail('no account')
  }

  async function enrol(person: TestUser, made: SoftwareAuthenticator, faults: Faults = {}) {
    const { passkeys } = rssp.services
    const account = await accountOf(person)
    const options = await passkeys.askToEnrol(account, enrolling)
    assert.ok(options)
    const request = { answer: made.create(options, faults), name: 'Phone', codeHash: null }
    await passkeys.enrol(account, request, enrolling)
  }

  async function enrolled(
    person: TestUser,
    settings?: ConstructorParameters<typeof SoftwareAuthenticator>[1],
  ): Promise<SoftwareAuthenticator> {
    const made = new SoftwareAuthenticator(rssp.baseUrl, settings)
    await enrol(person, made)
    return made
  }

  async function write(statement: Statement): Promise<void> {
    await rssp.services.database.commit({ changes: [change(statement, 1)] })
  }

  async function newEvents(...names: string[]) {
    const events = (await rssp.auditEvents()).slice(seen)
    return events.filter(({ event }) => names.includes(event))
  }

  async function whyRefused(): Promise<unknown[]> {
    return (await newEvents('passkey.refused')).map(({ detail }) => detail['why'])
  }

  function problemOf(step: Page | URLSearchParams): string {
    const { html } = asPage(step)
    return textOf(/class="problem" role="alert"[^]*?<p>([^]*?)<\/p>/.exec(html)?.[1] ?? html)
  }

  describe('approving signatures', () => {
    beforeEach(async () => {
      await approvalPage(rssp, browser, user, credentialRequest(client, credential, [DIGEST]))
    })

    function approval(digests: readonly Buffer[] = [DIGEST]): Promise<Page> {
      return openPage(browser, credentialRequest(client, credential, digests))
    }

    function answer(page: Page, passkey: string, fields: Record<string, string> = {}) {
      return browser.post(page.url, { action: 'passkey', passkey, ...fields })
    }

    async function assertNothingApproved(): Promise<void> {
      assert.deepEqual(await newEvents('authorisation.granted'), [])
    }

    async function assertRefused(page: Page, passkey: string, words: RegExp, why: RegExp) {
      assert.match(problemOf(await answer(page, passkey)), words)
      assert.match((await whyRefused()).join('\n'), why)
      await assertNothingApproved()
    }

    it('signs what was shown once its owner has answered with a passkey', async () => {
      const page = await approval([DIGEST, OTHER_DIGEST])
      assert.ok(!page.html.includes('name="otp"') && !page.html.includes('value="approve"'))
      const told = asAnswer(await answer(page, device.get(questionOf(page.html))))
      const token = await requestToken(rssp, codeGrant(client, told.get('code') ?? ''))
      const signed = await rssp.call(
        'signatures/signHash',
        {
          ...{ credentialID: credential.id, signAlgo: ECDSA_SHA256 },
          hashes: [DIGEST.toString('base64')],
        },
        String(token.body.access_token),
      )
      assert.equal(signed.status, 200, JSON.stringify(signed.body))
      const [granted] = await newEvents('authorisation.granted')
      assert.deepEqual(granted?.detail['factors'], ['passkey'])
    })

    it('lets scripts run on that page only, and only its own', async () => {
      const page = await approval()
      const policy = page.headers.get('content-security-policy') ?? ''
      assert.match(policy, /default-src 'none'; script-src 'self';/)
      const other = await rssp.addCredential(user)
      const plain = await openPage(browser, credentialRequest(client, other, [DIGEST]))
      assert.doesNotMatch(plain.headers.get('content-security-policy') ?? '', /script-src/)
      assert.doesNotMatch(plain.html, /<script/)
    })

    it('names only passkeys of its owner, and demands that the device verifies the person', async () => {
      await enrolled(await rssp.addUser())
      const { html } = await approval()
      const question = questionOf(html) as unknown as Record<string, unknown>
      assert.deepEqual(question['allowCredentials'], [
        { id: device.id, type: 'public-key', transports: ['internal'] },
      ])
      assert.equal(question['userVerification'], 'required')
      assert.equal(question['rpId'], 'localhost')
    })

    for (const algorithm of ['RS256', 'EdDSA'] as const) {
      it(`takes ${algorithm}, too`, async () => {
        const other = await enrolled(user, { algorithm })
        const page = await approval()
        assert.ok(asAnswer(await answer(page, other.get(questionOf(page.html)))).get('code'))
      })
    }

    it('takes an authenticator that does not count', async () => {
      const other = await enrolled(user, { counter: null })
      for (const digests of [[DIGEST], [OTHER_DIGEST]]) {
        const page = await approval(digests)
        assert.ok(asAnswer(await answer(page, other.get(questionOf(page.html)))).get('code'))
      }
    })

    const lies: [string, Faults, RegExp][] = [
      ['another origin', { origin: 'https://localhost.example' }, /origin/],
      ['the same name on another port', { origin: 'http://localhost:1' }, /origin/],
      ['inside another site', { crossOrigin: true }, /inside another site/],
      ['for another relying party', { rpId: 'example.org' }, /RP ID/i],
      ['without the person verified', { userVerified: false }, /could not be verified/],
      ['without the person there', { userPresent: false }, /not present/],
      ['for making a passkey', { type: 'webauthn.create' }, /type/],
      ['signed with another key', { otherKey: true }, /does not verify/],
      ['for someone else', { userHandle: 'c29tZW9uZQ' }, /user handle/],
    ]
    for (const [lie, faults, why] of lies) {
      it(`refuses an answer given ${lie}`, async () => {
        const page = await approval()
        const passkey = device.get(questionOf(page.html), faults)
        await assertRefused(page, passkey, NOT_ACCEPTED, why)
      })
    }

    it('refuses the answer to another transaction of the same person (S22, S25)', async () => {
      const first = await approval([DIGEST])
      const second = await approval([OTHER_DIGEST])
      const passkey = device.get(questionOf(first.html))
      await assertRefused(second, passkey, NOT_ACCEPTED, /challenge of something else/)
    })

    it('refuses the answer to the same request of before', async () => {
      const first = await approval()
      const second = await approval()
      const passkey = device.get(questionOf(first.html))
      await assertRefused(second, passkey, NOT_ACCEPTED, /challenge of something else/)
    })

    it('refuses an answer once the transaction has other digests (S22, S25)', async () => {
      const page = await approval()
      const passkey = device.get(questionOf(page.html))
      const items = JSON.stringify([{ digest: OTHER_DIGEST.toString('base64'), label: null }])
      const id = new URL(page.url).pathname.split('/').at(-1) ?? ''
      await write(sql`UPDATE "Transaction" SET "items" = ${items} WHERE "id" = ${id}`)
      await assertRefused(page, passkey, NOT_ACCEPTED, /challenge of something else/)
    })

    it('refuses a challenge that it did not make', async () => {
      const page = await approval()
      const passkey = device.get(questionOf(page.html), { challenge: 'c29tZXRoaW5n' })
      await assertRefused(page, passkey, TOO_LATE, /nothing waits for/)
    })

    it('refuses to take signing in for an approval, and the other way round', async () => {
      const signIn = await openPage(new SignerBrowser(rssp.baseUrl), serviceRequest(client))
      const passkey = device.get(questionOf(signIn.html))
      await assertRefused(await approval(), passkey, NOT_ACCEPTED, /challenge of something else/)
      const other = new SignerBrowser(rssp.baseUrl)
      const entrance = await openPage(other, serviceRequest(client))
      const approving = device.get(questionOf((await approval()).html))
      const next = await other.post(entrance.url, { action: 'passkey', passkey: approving })
      assert.match(problemOf(next), NOT_ACCEPTED)
    })

    it('refuses an answer that comes too late', async () => {
      const page = await approval()
      const passkey = device.get(questionOf(page.html))
      await rssp.services.database.commit({
        changes: [
          { statement: sql`UPDATE "PasskeyChallenge" SET "expiresAt" = ${rssp.clock.now()}` },
        ],
      })
      await assertRefused(page, passkey, TOO_LATE, /nothing waits for/)
    })

    it('refuses a counter that went backwards, and the same again (S25)', async () => {
      const first = await approval()
      const told = await answer(first, device.get(questionOf(first.html), { counter: 50 }))
      assert.ok(asAnswer(told).get('code'))
      seen = (await rssp.auditEvents()).length
      const page = await approval([OTHER_DIGEST])
      for (const counter of [49, 50, 0]) {
        const passkey = device.get(questionOf(page.html), { counter })
        await assertRefused(page, passkey, COPIED, /counter \d+ after 50/)
      }
    })

    it('does not believe a counter that the passkey did not sign', async () => {
      const page = await approval()
      const faults = { counter: 0, otherKey: true }
      const passkey = device.get(questionOf(page.html), faults)
      await assertRefused(page, passkey, NOT_ACCEPTED, /does not verify/)
    })

    it('refuses the passkey of another person', async () => {
      const other = await enrolled(await rssp.addUser())
      const page = await approval()
      const passkey = other.get(questionOf(page.html))
      await assertRefused(page, passkey, UNKNOWN, /another person’s passkey/)
    })

    it('refuses a passkey that was moved to this person in the database (S17)', async () => {
      const other = await enrolled(await rssp.addUser())
      await write(sql`UPDATE "Passkey" SET "userId" = ${user.id} WHERE "id" = ${other.id}`)
      const page = await approval()
      const passkey = other.get(questionOf(page.html), { userHandle: null })
      await assertRefused(page, passkey, UNKNOWN, /binding/)
    })

    it('refuses a passkey whose public key was swapped in the database', async () => {
      const other = await enrolled(await rssp.addUser())
      await write(
        sql`UPDATE "Passkey" SET "publicKey" =
              (SELECT "publicKey" FROM "Passkey" WHERE "id" = ${other.id}) WHERE "id" = ${device.id}`,
      )
      await approval()
      const page = await openPage(browser, credentialRequest(client, credential, [DIGEST]))
      assert.match(problemOf(page), /your account has none that can be used here/)
      assert.ok(!page.html.includes('data-options'))
    })

    it('refuses a passkey that it never saw', async () => {
      const page = await approval()
      const stranger = new SoftwareAuthenticator(rssp.baseUrl)
      const passkey = stranger.get(questionOf(page.html))
      await assertRefused(page, passkey, UNKNOWN, /no such passkey/)
    })

    it('takes an answer once', async () => {
      const page = await approval()
      const passkey = device.get(questionOf(page.html))
      asAnswer(await answer(page, passkey))
      assert.match(textOf(asPage(await answer(page, passkey)).html), /no longer valid/)
      assert.equal((await newEvents('authorisation.granted')).length, 1)
    })

    it('grants once when the answer comes a hundred times at once (S8, S25)', async () => {
      const page = await approval()
      const passkey = device.get(questionOf(page.html))
      const cookie = [...browser.cookies].map((pair) => pair.join('=')).join('; ')
      const answers = await Promise.all(
        Array.from({ length: 100 }, async () => {
          const response = await fetch(page.url, {
            ...{ method: 'POST', redirect: 'manual', headers: { cookie } },
            body: new URLSearchParams({ action: 'passkey', passkey }),
          })
          await response.arrayBuffer()
          return response.status
        }),
      )
      assert.equal(answers.filter((status) => status === 303).length, 1)
      assert.ok(!answers.some((status) => status >= 500))
      assert.equal((await newEvents('authorisation.granted')).length, 1)
    })

    it('asks for the PIN too where the certificate has one, and counts wrong ones', async () => {
      credential = await rssp.addCredential(user, { approvalFactor: 'passkey', withPin: true })
      const page = await approval()
      const passkey = device.get(questionOf(page.html))
      const next = await answer(page, passkey, { pin: '000000' })
      assert.equal(problemOf(next), 'The PIN is not correct. Please try again.')
      await assertNothingApproved()
      const again = asAnswer(await answer(page, passkey, { pin: user.pin }))
      assert.ok(again.get('code'), 'the answer was used up by a wrong PIN')
      const [granted] = await newEvents('authorisation.granted')
      assert.deepEqual(granted?.detail['factors'], ['pin', 'passkey'])
    })

    it('is locked after too many wrong PINs, with the right one and a passkey too', async () => {
      credential = await rssp.addCredential(user, { approvalFactor: 'passkey', withPin: true })
      const page = await approval()
      for (let guess = 0; guess < 5; guess += 1) {
        await answer(page, device.get(questionOf(page.html)), { pin: '000000' })
      }
      const next = await answer(page, device.get(questionOf(page.html)), { pin: user.pin })
      assert.match(problemOf(next), /this is locked until/)
      await assertNothingApproved()
    })

    it('is approved by no one-time code, and no passkey does where a code is due', async () => {
      const page = await approval()
      rssp.clock.advance(30)
      const otp = totpCode(user.totpSecret, rssp.clock.now())
      const typed = await browser.post(page.url, { action: 'approve', otp })
      assert.match(asPage(typed).html, /data-options/)
      const coded = await rssp.addCredential(user)
      const other = await openPage(browser, credentialRequest(client, coded, [DIGEST]))
      const passkey = device.get(questionOf(page.html))
      assert.match(asPage(await answer(other, passkey)).html, /name="otp"/)
      await assertNothingApproved()
    })

    it('asks once it is certain which certificate signs', async () => {
      const kind = { approvalFactor: 'passkey', signatureQualifier: 'eu_eidas_aes' } as const
      const [chosen] = [await rssp.addCredential(user, kind), await rssp.addCredential(user, kind)]
      const page = await openPage(
        browser,
        credentialRequest(client, credential, [DIGEST], {
          ...{ credentialID: null, signatureQualifier: 'eu_eidas_aes' },
        }),
      )
      assert.ok(!page.html.includes('data-options'))
      assert.match(page.html, /Continue with this certificate/)
      const next = asPage(
        await browser.post(page.url, { action: 'approve', credentialID: chosen.id }),
      )
      assert.ok(asAnswer(await answer(next, device.get(questionOf(next.html)))).get('code'))
      const [granted] = await newEvents('authorisation.granted')
      assert.equal(granted?.detail['credentialId'], chosen.id)
    })

    it('tells an owner without a passkey what to do, and lets them only reject', async () => {
      await rssp.services.passkeys.remove(user.id, device.id)
      const page = await approval()
      assert.match(problemOf(page), /Please add one on your account’s pages/)
      assert.doesNotMatch(page.html, /value="(approve|passkey)"/)
      assert.match(page.html, /value="reject"/)
    })

    it('signs nothing with an approval of a passkey that was removed meanwhile', async () => {
      const page = await approval()
      const told = asAnswer(await answer(page, device.get(questionOf(page.html))))
      const token = await requestToken(rssp, codeGrant(client, told.get('code') ?? ''))
      assert.ok(await rssp.services.passkeys.remove(user.id, device.id))
      const signed = await rssp.call(
        'signatures/signHash',
        {
          ...{ credentialID: credential.id, signAlgo: ECDSA_SHA256 },
          hashes: [DIGEST.toString('base64')],
        },
        String(token.body.access_token),
      )
      assert.ok(signed.status === 400 || signed.status === 401, String(signed.status))
    })

    it('answers whatever comes with its page, never with a failure', async () => {
      const page = await approval()
      const good = JSON.parse(device.get(questionOf(page.html))) as {
        id: string
        response: Record<string, string>
      }
      const { response } = good
      const instead = (changes: object) =>
        JSON.stringify({ ...good, response: { ...response, ...changes } })
      const encoded = (text: string) => Buffer.from(text).toString('base64url')
      const nonsense = [
        ...['', '{', 'null', '[]', '7', '"text"', '{}', '{"id":"a"}', '{"id":"a","response":null}'],
        ...['{"id":7,"response":{}}', `{"id":"${'a'.repeat(5000)}","response":{}}`],
        JSON.stringify({ ...good, id: 'no base64!' }),
        ...[7, '', '!', [], {}, 'AAAA'].flatMap((value) =>
          ['clientDataJSON', 'authenticatorData', 'signature', 'userHandle'].map((name) =>
            instead({ [name]: value }),
          ),
        ),
        ...['null', '[]', '7', '{}', '{"challenge":7}', '{"challenge":null}', '\u0000'].map(
          (text) => instead({ clientDataJSON: encoded(text) }),
        ),
        ...[instead({ signature: null }), instead({ clientDataJSON: null })],
        instead({ authenticatorData: encoded('x'.repeat(36)) }),
        instead({ authenticatorData: encoded('\u00ff'.repeat(300)) }),
        '['.repeat(10_000),
      ]
      for (const passkey of nonsense) {
        const next = asPage(await answer(page, passkey))
        assert.equal(next.status, 200, passkey.slice(0, 200))
        assert.match(next.html, /class="problem"/)
      }
      await assertNothingApproved()
      assert.ok(asAnswer(await answer(page, JSON.stringify(good))).get('code'), 'and then the good')
    })
  })

  describe('signing in', () => {
    const entrance = () => openPage(browser, serviceRequest(client))
    const answer = (page: Page, passkey: string) =>
      browser.post(page.url, { action: 'passkey', passkey })

    async function assertRefused(passkey: (page: Page) => string, words: RegExp, why: RegExp) {
      const page = await entrance()
      assert.match(problemOf(await answer(page, passkey(page))), words)
      assert.match((await whyRefused()).join('\n'), why)
      assert.deepEqual(await newEvents('sign-in.succeeded'), [])
    }

    it('takes a passkey for name, password and second factor', async () => {
      const person = await rssp.addUser({ otpAtSignIn: true })
      const phone = await enrolled(person)
      const page = await entrance()
      const told = asAnswer(await answer(page, phone.get(questionOf(page.html))))
      assert.ok(told.get('code'))
      const [signedIn] = await newEvents('sign-in.succeeded')
      assert.equal(signedIn?.detail['userId'], person.id)
      assert.deepEqual(signedIn.detail['factors'], ['hwk', 'user'])
    })

    it('asks for anyone’s passkey, and names none', async () => {
      const question = questionOf((await entrance()).html) as unknown as Record<string, unknown>
      assert.deepEqual(question['allowCredentials'], [])
      assert.equal(question['userVerification'], 'required')
    })

    it('tells an unknown passkey, a disabled account and a moved passkey alike', async () => {
      const disabled = await rssp.addUser()
      const phone = await enrolled(disabled)
      await rssp.services.users.disable(disabled.id, rssp.clock.now())
      const moved = await enrolled(await rssp.addUser())
      await write(sql`UPDATE "Passkey" SET "userId" = ${user.id} WHERE "id" = ${moved.id}`)
      const stranger = new SoftwareAuthenticator(rssp.baseUrl)
      for (const each of [phone, moved, stranger]) {
        const why = /account is disabled|binding|no such passkey/
        await assertRefused((page) => each.get(questionOf(page.html)), UNKNOWN, why)
      }
    })

    it('refuses an answer that does not say whose passkey it is', async () => {
      const silent = (page: Page) => device.get(questionOf(page.html), { userHandle: null })
      await assertRefused(silent, NOT_ACCEPTED, /user handle/)
    })

    it('refuses a copy, and puts on record whose passkey was copied', async () => {
      const copy = (page: Page) => device.get(questionOf(page.html), { counter: 1 })
      await assertRefused(copy, COPIED, /counter 1 after 1/)
      const [event] = await newEvents('passkey.refused')
      assert.equal(event?.detail['userId'], user.id)
    })

    it('refuses an answer without the person verified', async () => {
      const weak = (page: Page) => device.get(questionOf(page.html), { userVerified: false })
      await assertRefused(weak, NOT_ACCEPTED, /could not be verified/)
    })

    it('refuses an answer made for another browser’s sign-in', async () => {
      const elsewhere = await openPage(new SignerBrowser(rssp.baseUrl), serviceRequest(client))
      const stolen = device.get(questionOf(elsewhere.html))
      await assertRefused(() => stolen, NOT_ACCEPTED, /challenge of something else/)
    })

    it('shows no way to sign in with a passkey where there is no host name to have one for', async () => {
      const numbered = await startRssp()
      try {
        const app = await numbered.addClient()
        const page = await openPage(new SignerBrowser(numbered.baseUrl), serviceRequest(app))
        assert.doesNotMatch(page.html, /passkey/)
        assert.doesNotMatch(page.headers.get('content-security-policy') ?? '', /script-src/)
        const next = await new SignerBrowser(numbered.baseUrl).post(page.url, {
          ...{ action: 'passkey', passkey: '{}' },
        })
        assert.notEqual(asPage(next).status, 500)
      } finally {
        await numbered.close()
      }
    })
  })

  describe('enrolling', () => {
    it('puts on record whose it is and what allowed it', async () => {
      const phone = await enrolled(user)
      const [event] = await newEvents('factor.enrolled')
      assert.deepEqual(event?.detail, {
        ...{ userId: user.id, factor: 'passkey', proof: 'sign-in', passkeyId: phone.id },
      })
    })

    const lies: [string, Faults, RegExp][] = [
      ['at another origin', { origin: 'https://localhost.example' }, /origin/],
      ['for another relying party', { rpId: 'example.org' }, /RP ID/i],
      ['without the person verified', { userVerified: false }, /could not be verified/],
      ['by signing in', { type: 'webauthn.get' }, /type/],
      ['under the id of another', { id: 'b3RoZXI' }, /id of another/],
      [
        'with a certificate nobody asked for',
        { attestation: { fmt: 'packed', attStmt: new Map([['x5c', []]]) } },
        /not asked for/,
      ],
      [
        'in a format nobody asked for',
        { attestation: { fmt: 'tpm', attStmt: new Map() } },
        /not asked/,
      ],
    ]
    for (const [lie, faults, why] of lies) {
      it(`refuses a passkey made ${lie}`, async () => {
        await assert.rejects(enrol(user, new SoftwareAuthenticator(rssp.baseUrl), faults), {
          ...{ name: 'PasskeyRefusedError', kind: 'refused', message: why },
        })
        assert.deepEqual(await newEvents('factor.enrolled'), [])
        assert.equal((await newEvents('passkey.refused')).length, 1)
      })
    }

    it('refuses an RSA key of 1024 bits', async () => {
      const weak = new SoftwareAuthenticator(rssp.baseUrl, { algorithm: 'RS256', rsaBits: 1024 })
      await assert.rejects(enrol(user, weak), { message: 'RSA key is too short' })
    })

    it('refuses a passkey that somebody has already', async () => {
      const other = await rssp.addUser()
      await assert.rejects(enrol(other, device), { kind: 'taken' })
      assert.ok(await rssp.services.passkeys.has(user.id))
      assert.equal(await rssp.services.passkeys.has(other.id), false)
    })

    it('takes an answer once, of twenty at once', async () => {
      const { passkeys } = rssp.services
      const account = await accountOf(user)
      const options = await passkeys.askToEnrol(account, enrolling)
      assert.ok(options)
      const results = await Promise.allSettled(
        Array.from({ length: 20 }, () => {
          const answer = new SoftwareAuthenticator(rssp.baseUrl).create(options)
          return passkeys.enrol(account, { answer, name: 'Key', codeHash: null }, enrolling)
        }),
      )
      assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
      assert.equal((await passkeys.list(user.id)).length, 2)
    })

    it('removes and renames nothing that is another person’s', async () => {
      const { passkeys } = rssp.services
      const other = await rssp.addUser()
      assert.equal(await passkeys.remove(other.id, device.id), false)
      assert.equal(await passkeys.rename(other.id, device.id, 'Mine'), false)
      assert.deepEqual(
        (await passkeys.list(user.id)).map(({ name }) => name),
        ['Phone'],
      )
    })
  })
})
