/** What a person wrote, apart from what they quoted and signed, as their mail programs mark it. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { splitReply } from '../../functions/fetch/reply.ts'

const quoted = '> When does my order leave?\n> Ada\n'
const outlook = (...lines: string[]) => `${lines.join('\n')}\n\nWhen does my order leave?\n`

test.each([
  ['Gmail', 'On Mon, Jun 3, 2024 at 9:12 AM Ada <ada@contoso.example> wrote:\n\n', quoted],
  [
    'Gmail, in two lines',
    'On Mon, Jun 3, 2024 at 9:12 AM Ada Lovelace, Countess <\nada@contoso.example> wrote:\n',
    quoted,
  ],
  ['Apple Mail', 'On 3. Jun 2024, at 09:12, Ada <ada@contoso.example> wrote:\n\n', quoted],
  ['Thunderbird, German', 'Am 03.06.24 um 09:12 schrieb Ada Lovelace:\n', quoted],
  ['Gmail, German', 'Am Mo., 3. Juni 2024 um 09:12 Uhr schrieb Ada <ada@contoso.example>:\n\n', quoted],
  ['Gmail, French', 'Le lun. 3 juin 2024 à 09:12, Ada <ada@contoso.example> a écrit :\n\n', quoted],
  [
    'Apple Mail, French, with its own space',
    'Le 3 juin 2024 à 09:12, Ada <ada@contoso.example> a écrit\u00a0:\n\n',
    quoted,
  ],
  ['Gmail, Spanish', 'El lun, 3 jun 2024 a las 9:12, Ada (<ada@contoso.example>) escribió:\n\n', quoted],
  [
    'Gmail, Italian',
    'Il giorno lun 3 giu 2024 alle ore 09:12 Ada <ada@contoso.example> ha scritto:\n\n',
    quoted,
  ],
  [
    'Gmail, Portuguese',
    'Em seg., 3 de jun. de 2024 às 09:12, Ada <ada@contoso.example> escreveu:\n\n',
    quoted,
  ],
  ['Gmail, Dutch', 'Op ma 3 jun 2024 om 09:12 schreef Ada <ada@contoso.example>:\n\n', quoted],
  ['Gmail, Polish', 'W dniu pon., 3 cze 2024 o 09:12 Ada <ada@contoso.example> napisał(a):\n\n', quoted],
  ['Gmail, Swedish', 'Den mån 3 juni 2024 kl 09:12 skrev Ada <ada@contoso.example>:\n\n', quoted],
  ['Gmail, Japanese', '2024年6月3日(月) 9:12 Ada <ada@contoso.example>のメッセージ:\n\n', quoted],
  [
    'HTML without marks',
    'On Mon, Jun 3, 2024 at 9:12 AM Ada <ada@contoso.example> wrote:\n',
    'When does my order leave?\n',
  ],
  [
    'Outlook',
    '',
    outlook(
      'From: Ada Lovelace <ada@contoso.example>',
      'Sent: Monday, June 3, 2024 9:12 AM',
      'To: Casey',
      'Subject: Order',
    ),
  ],
  [
    'Outlook within one organization',
    '',
    outlook('From: Ada Lovelace', 'Sent: Monday, June 3, 2024 9:12 AM', 'To: Casey', 'Subject: Order'),
  ],
  [
    'Outlook on the web',
    '________________________________\n',
    outlook(
      'From: Ada <ada@contoso.example>',
      'Sent: Monday, June 3, 2024 9:12 AM',
      'To: Casey',
      'Subject: Order',
    ),
  ],
  ['Outlook in bold', '', outlook('*From:* Ada', '*Sent:* Monday', '*To:* Casey', '*Subject:* Order')],
  [
    'Outlook, German',
    '',
    outlook(
      'Von: Ada Lovelace <ada@contoso.example>',
      'Gesendet: Montag, 3. Juni 2024 09:12',
      'An: Casey',
      'Betreff: Bestellung',
    ),
  ],
  [
    'Outlook, French',
    '',
    outlook(
      'De : Ada Lovelace <ada@contoso.example>',
      'Envoyé : lundi 3 juin 2024 09:12',
      'À : Casey',
      'Objet : Commande',
    ),
  ],
  ['older Outlook', '-----Original Message-----\n', outlook('From: Ada', 'Sent: Monday')],
  ['older Outlook, German', '-----Ursprüngliche Nachricht-----\n', outlook('Von: Ada', 'Gesendet: Montag')],
  ['nothing but the marks', '', quoted],
])('%s: the reply stands above what it quotes', (_program, introduction, rest) => {
  const text = `It left today.\n\nBest wishes\nCasey\n\n${introduction}${rest}`
  expect(splitReply(text)).toEqual({
    reply: 'It left today.\n\nBest wishes\nCasey',
    signature: null,
    quoted: `${introduction}${rest}`.trim(),
  })
})

test.each([
  ['the line that marks one', '-- \nCasey\nACME', '-- \nCasey\nACME'],
  ['a phone’s', 'Sent from my iPhone', 'Sent from my iPhone'],
  ['a phone’s, German', 'Von meinem iPhone gesendet', 'Von meinem iPhone gesendet'],
  ['a phone’s, French', 'Envoyé de mon iPhone', 'Envoyé de mon iPhone'],
  [
    'Outlook’s advertisement',
    'Get Outlook for iOS<https://aka.ms/o0ukef>',
    'Get Outlook for iOS<https://aka.ms/o0ukef>',
  ],
])('a signature by %s is told apart', (_what, given, signature) => {
  const text = `It left today.\n\n${given}\n\nOn Mon, Jun 3, 2024 Ada <ada@contoso.example> wrote:\n${quoted}`
  expect(splitReply(text)).toMatchObject({ reply: 'It left today.', signature })
})

test.each([
  ['answers between the lines', '> How are you?\n\nFine.\n\n> And the cat?\n\nDead.'],
  ['an answer below', 'On Mon, Jun 3, 2024 Ada <ada@contoso.example> wrote:\n> How are you?\n\nFine.'],
  [
    'a forward without a word',
    '---------- Forwarded message ---------\nFrom: Ada <ada@contoso.example>\nDate: Monday\nSubject: x\n\nHi',
  ],
  ['a sentence that begins like an introduction', 'On Monday I wrote:\n"please hurry".\n\nDid you see it?'],
  ['words with colons', 'From: the heart\nI thank you.'],
  ['a list with dashes', 'We need\n-- nails\n-- wood'],
  ['a line that says from', 'Sent from the warehouse on Monday.\nWhere is it now?'],
  ['a mark of smaller', 'a <3 b\n2 > 1'],
])('%s is all reply', (_what, text) => {
  expect(splitReply(text)).toEqual({ reply: text, signature: null, quoted: null })
})

test('no text is no reply', () => {
  expect(splitReply(' \n\n')).toEqual({ reply: null, signature: null, quoted: null })
})

const line = fc.oneof(
  fc.constantFrom(
    '',
    '> a',
    '>',
    '-- ',
    'On 1 Jan Ada wrote:',
    'From: a',
    'Sent: b',
    'To: c',
    'Sent from my iPhone',
    '_____',
  ),
  fc.string({ unit: 'binary', maxLength: 30 }),
)

test('whatever the text, nothing of it is lost, and each part is a piece of it', () => {
  const bare = (text: string) => text.replace(/\s/g, '')
  fc.assert(
    fc.property(fc.array(line, { maxLength: 40 }), lines => {
      const text = lines.join('\n')
      const { reply, signature, quoted } = splitReply(text)
      expect(bare([reply, signature, quoted].map(part => part ?? '').join(''))).toBe(bare(text))
    }),
  )
})
