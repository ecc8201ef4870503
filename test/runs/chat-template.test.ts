import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PretrainedTokenizer } from '../../src/data/pretrained-tokenizer.js';
import { renderTemplate } from '../../src/runs/chat/render.js';
import { ChatTemplate, readChatTemplate } from '../../src/runs/chat/template.js';

const chatml =
  "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
const special = (id: number, content: string) => ({ id, content, special: true, normalized: false });
const tokenizerWith = (config: Record<string, string>): PretrainedTokenizer =>
  new PretrainedTokenizer(
    {
      added_tokens: [special(3, '<|im_start|>'), special(4, '<|im_end|>')],
      ...{ normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null },
      model: { type: 'WordPiece', unk_token: '[UNK]', vocab: { '[UNK]': 0, a: 1, b: 2 } },
    },
    config,
  );

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-chat-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('a chat template', () => {
  test('turns a conversation into text, and says where the assistant begins', async () => {
    const template = new ChatTemplate(`{{ bos_token }}${chatml}`, { bos_token: { content: '<s>' } });
    const messages = [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: '1 < 2?' },
    ];
    const text = '<s><|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n1 < 2?<|im_end|>\n';
    expect(await template.render(messages)).toBe(`${text}<|im_start|>assistant\n`);
    expect(await template.render(messages, { addGenerationPrompt: false })).toBe(text);
  });

  test('tells the token that ends a turn', async () => {
    const tokenizer = tokenizerWith({});
    expect(await new ChatTemplate(chatml, {}).endOfTurn(tokenizer)).toBe(4);
    expect(await new ChatTemplate('{{ messages[0].content }}', {}).endOfTurn(tokenizer)).toBeUndefined();
    expect(await new ChatTemplate("{{ raise_exception('no') }}", {}).endOfTurn(tokenizer)).toBeUndefined();
  });

  test.each([
    [
      'that never ends',
      '{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}',
      /not done after 1 s/,
    ],
    [
      'that makes gigabytes',
      '{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = ns.l + ns.l %}{% endfor %}{{ ns.l }}',
      /more than 64 MB|not done after 1 s/,
    ],
    ['that calls itself', '{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}', /call stack|not done|not a function/],
    ['that refuses', "{{ raise_exception('roles must alternate') }}", /roles must alternate/],
    ['that is no template', '{% for %}', /renders the conversation, received/],
  ])(
    '%s is one error',
    async (_, template, message) => {
      await expect(renderTemplate({ template, context: {} }, { seconds: 1, megabytes: 64 })).rejects.toThrow(message);
    },
    20_000,
  );

  test('comes from chat_template.jinja, then from tokenizer_config.json, one or the default of several', async () => {
    await expect(readChatTemplate(folder, tokenizerWith({}))).rejects.toThrow(/has a chat template.*taught to chat/);
    const hello = [{ role: 'user', content: 'x' }];
    const own = await readChatTemplate(folder, tokenizerWith({ chat_template: 'one' }));
    expect(await own.render(hello)).toBe('one');
    const named = [
      { name: 'tool_use', template: 'tools' },
      { name: 'default', template: 'two' },
    ];
    const several = await readChatTemplate(folder, tokenizerWith({ chat_template: named as never }));
    expect(await several.render(hello)).toBe('two');
    await writeFile(join(folder, 'chat_template.jinja'), 'file');
    const file = await readChatTemplate(folder, tokenizerWith({ chat_template: 'one' }));
    expect(await file.render(hello)).toBe('file');
  });
});
