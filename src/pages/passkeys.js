/* Asks the browser for a passkey and posts its answer with the form. The only script of these pages. */
'use strict'
;(() => {
  const field = document.querySelector('input[data-ceremony]')
  if (!field) return
  const form = field.form
  const button = form.querySelector('button[data-passkey]')
  const alert = document.querySelector('[data-passkey-alert]')
  const options = JSON.parse(field.dataset.options)

  function clear() {
    for (const old of document.querySelectorAll('.problem')) old.remove()
  }

  /** The text comes with the page, in its language. */
  function tell(problem) {
    clear()
    const text = document.querySelector(`template[data-passkey-problem="${problem}"]`)
    alert.replaceChildren(text.content.cloneNode(true))
  }

  function bytes(text) {
    const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
    return Uint8Array.from(binary, (char) => char.charCodeAt(0))
  }

  function base64url(buffer) {
    if (!buffer) return undefined
    const binary = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join('')
    return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
  }

  const withId = (list = []) => list.map((each) => ({ ...each, id: bytes(each.id) }))

  async function ask() {
    const challenge = bytes(options.challenge)
    if (field.dataset.ceremony === 'get') {
      const allowCredentials = withId(options.allowCredentials)
      const publicKey = { ...options, challenge, allowCredentials }
      const { id, response } = await navigator.credentials.get({ publicKey })
      return {
        id,
        response: {
          clientDataJSON: base64url(response.clientDataJSON),
          authenticatorData: base64url(response.authenticatorData),
          signature: base64url(response.signature),
          userHandle: base64url(response.userHandle),
        },
      }
    }
    const user = { ...options.user, id: bytes(options.user.id) }
    const excludeCredentials = withId(options.excludeCredentials)
    const publicKey = { ...options, challenge, user, excludeCredentials }
    const { id, response } = await navigator.credentials.create({ publicKey })
    return {
      id,
      response: {
        clientDataJSON: base64url(response.clientDataJSON),
        attestationObject: base64url(response.attestationObject),
        transports: response.getTransports ? response.getTransports() : [],
      },
    }
  }

  /** Browsers say the same of a refusal, of silence and of a device that has no such passkey. */
  function problemOf(error, startedAt) {
    if (error.name === 'InvalidStateError') return 'exists'
    if (error.name === 'NotSupportedError') return 'unsupported'
    if (error.name !== 'NotAllowedError' && error.name !== 'AbortError') return 'failed'
    const waited = performance.now() - startedAt
    return waited > options.timeout - 1000 ? 'timed-out' : 'cancelled'
  }

  let asking = false
  form.addEventListener('submit', async (event) => {
    if (event.submitter !== button || field.value !== '') return
    event.preventDefault()
    if (asking) return
    asking = true
    clear()
    const startedAt = performance.now()
    try {
      field.value = JSON.stringify(await ask())
      form.requestSubmit(button)
    } catch (error) {
      field.value = ''
      tell(problemOf(error, startedAt))
      button.focus()
    } finally {
      asking = false
    }
  })
  // A page from the back button would post an answer that was used already.
  addEventListener('pageshow', () => {
    field.value = ''
  })

  if (!window.PublicKeyCredential) {
    if (button.classList.contains('primary')) tell('unsupported')
    return
  }
  for (const element of document.querySelectorAll('[data-passkey]')) element.hidden = false
})()
