"""Pieces of templates, each of which shows a habit of Python or Jinja; make_template_goldens.py renders them."""

# One a line. Variables: `messages` of the conversation, `add_generation_prompt`, the special tokens.
SNIPPETS = r"""
{{ 1 == true }}{{ 0 == false }}{{ 1 == 1.0 }}{{ '1' == 1 }}{{ none == false }}{{ [] == [] }}{{ {'a': 1.0} == {'a': 1} }}
{{ 10 / 4 }}|{{ 9 / 3 }}|{{ 2 ** 10 }}|{{ 2 ** -1 }}|{{ 2 ** 0.5 }}|{{ 10 // 3 }}|{{ 10 % 3 }}|{{ 7.5 // 2 }}|{{ 7.5 % 2 }}
{{ -7 // 2 }}|{{ 7 // -2 }}|{{ -7 % 3 }}|{{ 7 % -3 }}|{{ -7.5 // 2 }}|{{ -7.5 % 2 }}|{{ -6 % 3 }}|{{ -6.0 % 3 }}
{{ 2 ** 64 }} {{ 9223372036854775807 + 1 }} {{ 123456789012345678901234567890 * 3 }} {{ -170141183460469231731687303715884105727 }}
{{ 1e3 }} {{ 1e15 }} {{ 1e16 }} {{ 1.5e300 * 10 }} {{ 0.0001 }} {{ 0.00001 }} {{ 1/3 }} {{ 100.0 }} {{ 1e-7 }} {{ 1.0e10 }} {{ 12345678.9 }}
{{ 0.1 + 0.7 }} {{ 3 * 1.1 }} {{ 1.1 * 1.1 }} {{ -0.0 }} {{ 5 - 0.5 }} {{ 1_000 }} {{ 2.50 }}
{{ true + 1 }} {{ true * 'ab' }} {{ 3 * [1] }} {{ (1,) * 2 }} {{ 'x' * 0 }} {{ 'x' * -1 }} {{ 'ab' * true }}
{{ 1 if true else 2 }}{{ 1 if false }}|{{ 'a' if 'x' in 'xyz' else 'b' }}{{ 0 or 'z' }}{{ 0 and 'z' }}{{ '' or none }}{{ 1 and [] }}
{{ not 1 == 2 }} {{ not (1 == 1 and 2 == 3) }} {{ 1 < 2 < 3 < 3 }} {{ 3 > 2 >= 2 }} {{ 1 != 2 != 1 }} {{ 'a' < 'b' <= 'b' }} {{ 1 in [1] in [[1]] }}
{{ [1, 2] < [1, 3] }} {{ (1, 'a') < (1, 'b') }} {{ 'Z' < 'a' }} {{ 1 < 1.5 }} {{ true > false }}
{{ 'b' in {'b': 1} }} {{ 2 in (1, 2) }} {{ 'x' not in 'abc' }} {{ 1.0 in [1] }} {{ none in [none] }} {{ not 'a' in 'abc' }}
{{ (1, 2) }} {{ (1,) }} {{ () }} {{ [(1, 'a'), [2]] }} {{ {'a': (1, none)} }} {{ {1: 'x', none: [], 2.5: {}} }} {{ 1, 2 }}
{{ 'it\'s' }} {{ ['it\'s', 'say "x"', 'both \' and "'] }} {{ ['tab\t', 'nl\n', 'cr\r', 'back\\slash', 'ü', '\u200b', '\x07', '😀', ' '] }}
{{ [true, false, none, 1, 1.0, 'x', (), {}] }} {{ {'k': true} ~ '' }} {{ [1] ~ [2] }} {{ 1 ~ 2 ~ none ~ true ~ 1.0 }}
{{ range(3) }} {{ range(1, 7, 2) }} {{ range(5)[1:3] }} {{ range(3) | list }} {{ range(10, 0, -3) | list }} {{ 2 in range(3) }} {{ range(4)[-1] }}
{{ {'a': 1}.keys() }} {{ {'a': 1}.values() }} {{ {'a': 1}.items() }} {{ {'a': 1}.items() | list }} {{ {'a': 1}.keys() | length }} {{ {}.keys() }}
{{ {'a': 1}.copy() }} {{ [1, 2].copy() }} {{ [1, 2, 1].count(1) }} {{ [3, 4].index(4) }} {{ (1, 2).index(2) }} {{ 'abc'.index('c') }} {{ {'a': none}.get('a', 5) }}
{{ dict(b=1, a=2) }} {{ dict([('x', 1), ('y', 2)]) }} {{ dict({'q': 1}, r=2) }} {{ dict() }} {{ dict(a=1).a }} {{ dict(a=1)['a'] }}
{{ {'b': 1, 'a': 2, 'b': 3} }} {{ {'x': {'y': {'z': 1}}}.x.y.z }} {{ {'x': [1, {'y': 2}]}['x'][1]['y'] }} {{ {'items': 1}['items'] }}
{{ [1, 2, 3, 4, 5][::2] }} {{ [1, 2, 3, 4, 5][-2:] }} {{ [1, 2, 3][::-1] }} {{ 'hello'[1:-1] }} {{ 'hello'[::-1] }} {{ (1, 2, 3)[1:] }} {{ 'hello'[10:] }} {{ [1, 2, 3][5:1] }} {{ [1, 2, 3, 4][3:0:-2] }} {{ 'abc'[:none] }}
{{ [1][5] }}|{{ 'abc'[7] }}|{{ {'a': 1}.b }}|{{ {'a': 1}['b'] }}|{{ none.x }}|{{ (5).x }}|{{ [1]['x'] }}|{{ none[0] }}|{{ [1, 2].0 }}
{{ missing }}|{{ ''.__class__ }}|{{ missing is defined }}|{{ missing is undefined }}|{{ missing is none }}|{{ missing == '' }}|{{ missing | length }}|{{ missing ~ 'x' }}|{{ missing | upper }}|{{ missing | default('d') }}|{{ missing or 'o' }}|{% for x in missing %}{{ x }}{% endfor %}
{{ 'a-b'.split('-') }} {{ ' a  b '.split() }} {{ 'a,b,c'.rsplit(',', 1) }} {{ 'a b c d'.split(' ', 2) }} {{ ' a  b  c '.split(none, 1) }} {{ ' a  b  c '.rsplit(none, 1) }} {{ ''.split() }} {{ ''.split(',') }} {{ 'x'.split(sep='x') }} {{ 'a1b1c'.split('1', maxsplit=1) }}
{{ 'k=v=w'.partition('=') }} {{ 'k=v=w'.rpartition('=') }} {{ 'kv'.partition('=') }} {{ 'kv'.rpartition('=') }}
{{ 'prefix-x'.removeprefix('prefix-') }} {{ 'x.txt'.removesuffix('.txt') }} {{ 'x'.removeprefix('y') }} {{ '42'.zfill(5) }} {{ '-42'.zfill(5) }} {{ '+1'.zfill(4) }} {{ 'abc'.zfill(2) }}
[{{ 'x'.ljust(4) }}] [{{ 'x'.rjust(4, '.') }}] [{{ 'x'.center(4) }}] [{{ 'xy'.center(5, '*') }}] [{{ 'xyz'.center(2) }}] [{{ 'ab'.center(7) }}]
{{ 'hello wOrld'.title() }} {{ "they're bill's".title() }} {{ 'hello wOrld'.capitalize() }} {{ 'Hello'.swapcase() }} {{ 'ß'.upper() }} {{ 'Straße'.casefold() }} {{ 'ÄÖ'.lower() }} {{ 'x1y z'.title() }}
{{ 'banana'.find('an') }} {{ 'banana'.rfind('an') }} {{ 'banana'.find('x') }} {{ 'banana'.find('an', 2) }} {{ 'banana'.find('an', 2, 4) }} {{ 'banana'.count('a') }} {{ 'banana'.count('a', 2) }} {{ 'banana'.count('') }} {{ 'äöä'.find('ä', 1) }} {{ 'banana'.rindex('a') }}
{{ 'abc'.startswith('b', 1) }} {{ 'abc'.endswith('b', 0, 2) }} {{ 'abc'.startswith(('x', 'ab')) }} {{ 'abc'.endswith(()) }} {{ 'abc'.startswith('') }}
{{ '12'.isdigit() }}{{ ''.isdigit() }}{{ '1a'.isalnum() }}{{ 'ab'.isalpha() }}{{ 'a b'.isalpha() }}{{ ' \t'.isspace() }}{{ ''.isspace() }}{{ 'Ab'.isupper() }}{{ 'AB1'.isupper() }}{{ 'ab1'.islower() }}{{ '1'.islower() }}{{ 'Ab Cd'.istitle() }}{{ 'AB'.istitle() }}{{ 'ab'.isascii() }}{{ 'ü'.isascii() }}{{ '²'.isdigit() }}{{ '½'.isnumeric() }}{{ '½'.isdigit() }}{{ '5'.isdecimal() }}{{ 'a_1'.isidentifier() }}{{ '1a'.isidentifier() }}{{ 'a\n'.isprintable() }}
{{ 'a\nb\r\nc\n'.splitlines() }} {{ 'a\nb\n'.splitlines(true) }} {{ 'a\n\nb'.splitlines(keepends=false) }} {{ ''.splitlines() }} {{ 'a\x0bb'.splitlines() }}
{{ 'a\tb'.expandtabs() }}| {{ 'a\tb'.expandtabs(4) }}| {{ '  x  '.strip() }}| {{ 'xxaxx'.lstrip('x') }}| {{ 'abcba'.strip('ab') }}| {{ '\n x \n'.rstrip() }}| {{ ' x '.strip(none) }}
{{ 'aaa'.replace('a', 'b') }} {{ 'aaa'.replace('a', 'b', 2) }} {{ 'abc'.replace('', '-') }} {{ 'aaa'.replace('a', '') }} {{ 'aXbX'.replace('X', 'Y').lower() }}
{{ '-'.join(['a', 'b']) }} {{ ''.join(('x', 'y')) }} {{ ', '.join({'k': 1, 'l': 2}) }} {{ '-'.join('abc') }} {{ ','.join([]) }}
{{ '{} {}'.format(1, 'a') }} {{ '{1} {0}'.format('a', 'b') }} {{ '{x}-{y}'.format(x=1, y=[2]) }} {{ '{0[k]} {1.a}'.format({'k': 5}, dict(a=6)) }} {{ '{{}}'.format() }} {{ '{!r:>6}|'.format('a') }} {{ '{:>{w}}'.format('x', w=4) }}
{{ '{:5}|{:<5}|{:>5}|{:^5}|{:*^5}'.format('a', 'b', 'c', 'd', 'e') }} {{ '{:05d} {:+d} {: d} {:,} {:x} {:#x} {:b} {:o} {:c}'.format(42, 42, 42, 1234567, 255, 255, 5, 8, 65) }} {{ '{:.3}'.format('abcdef') }}
{{ '{:.2f} {:8.3f}| {:e} {:.1e} {:g} {:g} {:.3g} {:%} {:.1%}'.format(3.14159, 2.5, 12345.678, 0.00012, 100000.0, 1e10, 1234.5, 0.25, 0.256) }} {{ '{:.2f}'.format(2) }} {{ '{:,.2f}'.format(1234567.891) }} {{ '{:5}|{:<5}|{:.4}'.format(1.5, 2.5, 3.14159) }}
{{ '%s %r %d %i %5d|%-5d|%05d %+d %x %X %o %%' % ('a', 'b', 3, 4, 5, 6, 7, 8, 255, 255, 8) }} {{ '%5s|%-5s|%.2s' % ('ab', 'cd', 'efgh') }} {{ '%c%c' % ('x', 65) }} {{ '%s' % none }} {{ '%s' % [1, 'a'] }}
{{ '%f %.2f %08.3f %e %g %g %G' % (1.5, 2.345, 3.14159, 12345.678, 0.00001234, 123456789.0, 1e-10) }} {{ '%d' % 3.9 }} {{ '%d' % true }} {{ '%(a)s-%(b)03d' % {'a': 'x', 'b': 7} }} {{ '%s' % {'k': 1} }} {{ '%*d' % (5, 42) }} {{ '%#x %#o' % (255, 8) }} {{ 'no marks' % [] }}
{{ '\x41\u0042\101' }} {{ '\q\d' }} {{ 'a\/b' }} {{ '\\n' }} {{ "\"" }} {{ '\'' }} {{ '\U0001F600' }} {{ 'tab\there' }} {{ '\a\b\f\v' | tojson }} {{ 'bell\0end' | length }}
{{ 3.7 | int }} {{ '12' | int }} {{ 'x' | int }} {{ 'x' | int(7) }} {{ '0x1f' | int(base=16) }} {{ '101' | int(0, 2) }} {{ ' 5 ' | int }} {{ '1.9' | int }} {{ none | int }} {{ true | int }} {{ '1_0' | int }} {{ '-3' | int }}
{{ '1.5' | float }} {{ 'x' | float }} {{ 'x' | float(1.5) }} {{ 3 | float }} {{ '1e3' | float }} {{ 'inf' | float }} {{ ' 2.5 ' | float }} {{ none | float(default=2) }}
{{ 2.5 | round }} {{ 3.5 | round }} {{ 42.55 | round(1) }} {{ 42.55 | round(1, 'floor') }} {{ 42.5 | round(0, 'ceil') }} {{ 1234 | round(-2) }} {{ 5 | round }} {{ 2.675 | round(2) }} {{ 5 | round(method='ceil') }} {{ 1250.0 | round(-2) }} {{ (7 / 2) | round | int }} {{ -2.5 | round }}
{{ -5 | abs }} {{ 2.5 | abs }} {{ -(3 + 4) }} {{ -[1, 2][0] }} {{ -{'a': 5}.a }} {{ +3 }} {{ 1 - -1 }} {{ 2 * -3 }} {{ - 2 ** 2 }} {{ [+1, -1] }}
{{ 'x' | center(5) }}|{{ 'abc' | center }}|{{ 'hello' | upper }}{{ 'HELLO' | lower }}{{ 'hello wORLD-foo (bar' | title }}{{ 'hELLO' | capitalize }}{{ 5 | upper }}
{{ '  x ' | trim }}| {{ 'xxyxx' | trim('x') }} {{ 'a b-c d_e' | wordcount }} {{ '' | wordcount }} {{ 'a.b c' | wordcount }} {{ 'foo bar baz qux' | truncate(9) }} {{ 'foo bar baz qux' | truncate(9, true) }} {{ 'foo bar baz qux' | truncate(11) }} {{ 'foo bar baz qux' | truncate(11, false, '...', 0) }} {{ 'foo bar baz' | truncate(5, end='', leeway=0) }}
{{ 'a\nb\n\nc' | indent }}| {{ 'a\nb\n\nc' | indent(2, true) }}| {{ 'a\n\nc' | indent(2, blank=true) }}| {{ 'a\nb' | indent('> ') }}| {{ 'a\nb' | indent('> ', true) }}| {{ '' | indent(first=true) }}| {{ 'a\n' | indent }}|
{{ 'The quick brown fox jumps over the lazy dog' | wordwrap(16) }}|{{ 'abcdefghij' | wordwrap(4) }}|{{ 'abcdefghij kl' | wordwrap(4, false) }}|{{ 'a well-known fact of old-fashioned days' | wordwrap(8) }}|{{ 'a  b\nc d' | wordwrap(3, wrapstring='/') }}|{{ 'x-y some-thing' | wordwrap(6, break_on_hyphens=false) }}
{{ [1, 2, 3] | join }} {{ [1, none, true, 2.0] | join('-') }} {{ 'abc' | join(',') }} {{ [{'n': 'a'}, {'n': 'b'}] | join('+', attribute='n') }} {{ {'x': 1, 'y': 2} | join }} {{ [] | join(',') }} {{ [[1], 'x'] | join(d='|') }}
{{ [3, 1, 2] | sort }} {{ ['b', 'A', 'c'] | sort }} {{ ['b', 'A', 'c'] | sort(case_sensitive=true) }} {{ [1, 3, 2] | sort(true) }} {{ [{'a': 2}, {'a': 1}] | sort(attribute='a') }} {{ [{'a': 1, 'b': 2}, {'a': 1, 'b': 1}] | sort(attribute='a,b') }} {{ [(2, 'x'), (1, 'y')] | sort }} {{ 'cab' | sort }} {{ ['a', 'B', 'A'] | sort(reverse=true) }}
{{ {'b': 1, 'A': 3, 'c': 2} | dictsort }} {{ {'b': 1, 'a': 3} | dictsort(by='value') }} {{ {'b': 1, 'A': 3} | dictsort(true) }} {{ {'b': 1, 'a': 3} | dictsort(reverse=true) }} {{ {'b': 1, 'a': 3} | dictsort(false, 'value', true) }}
{{ [1, 2, 3, 4, 5] | batch(2) | list }} {{ [1, 2, 3] | batch(2, 'x') | list }} {{ [1, 2, 3, 4, 5] | slice(2) | list }} {{ [1, 2, 3, 4, 5] | slice(3, 'x') | list }} {{ 'abcde' | batch(3) | list }} {% for row in [1, 2, 3] | batch(2) %}<{{ row | join(',') }}>{% endfor %}
{% for g in [{'c': 'x', 'n': 1}, {'c': 'Y', 'n': 2}, {'c': 'x', 'n': 3}] | groupby('c') %}{{ g.grouper }}={{ g.list | map(attribute='n') | join(',') }};{% endfor %}{% for k, v in [{'a': 1}, {'a': 2}, {}] | groupby('a', default=1) %}{{ k }}:{{ v | length }} {% endfor %}{{ [{'a': 1}] | groupby('a') }}
{{ [1, 2, 3] | sum }} {{ [{'v': 1}, {'v': 2.5}] | sum(attribute='v') }} {{ [1] | sum(start=10) }} {{ [[1], [2]] | sum(start=[]) }} {{ [] | sum }} {{ [1, 5, 2] | max }} {{ ['b', 'A'] | min }} {{ ['b', 'A'] | max(case_sensitive=true) }} {{ [{'a': 3}, {'a': 1}] | min(attribute='a') }} {{ [] | max }}| {{ 'hello' | max }}
{{ ['a', 'A', 'b', 'a'] | unique | list }} {{ ['a', 'A'] | unique(true) | list }} {{ [{'k': 1, 'v': 1}, {'k': 1, 'v': 2}] | unique(attribute='k') | list }} {{ [1, 1.0, true, 2] | unique | list }}
{{ [1, 2] | first }} {{ [1, 2] | last }} {{ 'abc' | first }}{{ 'abc' | last }} {{ {'x': 1} | first }} {{ [] | first }}| {{ [] | last }}| {{ range(5) | last }} {{ [1, 2, 3] | reverse | list }} {{ 'abc' | reverse }} {{ (1, 2) | reverse | first }}
{{ ['a', 'b'] | map('upper') | list }} {{ [' x ', 'y '] | map('trim') | join('|') }} {{ [{'a': {'b': 1}}, {'a': {}}] | map(attribute='a.b', default='-') | list }} {{ ['1', '2'] | map('int') | sum }} {{ [[1, 2], [3]] | map('first') | list }} {{ [(1, 'x')] | map(attribute=1) | list }} {{ ['a'] | map('replace', 'a', 'b') | list }} {{ [3.14159] | map('round', precision=2) | list }}
{{ [1, 2, 3, 4] | select('even') | list }} {{ [1, 2, 3] | reject('odd') | list }} {{ [0, 1, '', 'x'] | select | list }} {{ [1, 5] | select('gt', 3) | list }} {{ ['a', 1] | select('string') | list }} {{ [1, 2, 3] | select('in', [1, 3]) | list }} {{ [3, 4] | select('divisibleby', 2) | list }}
{{ messages | selectattr('role', 'in', ['user', 'system']) | map(attribute='role') | list }} {{ messages | selectattr('role') | list | length }} {{ messages | rejectattr('role', 'eq', 'user') | map(attribute='role') | join(',') }} {{ messages | selectattr('tool_calls', 'defined') | list }} {{ [{'a': 1}, {'b': 1}] | selectattr('a', 'undefined') | list }} {{ messages | selectattr('role', 'ne', 'user') | first | attr('x') is defined }}
{{ 0 | filesizeformat }} {{ 1 | filesizeformat }} {{ 999 | filesizeformat }} {{ 1000 | filesizeformat }} {{ 1536 | filesizeformat(true) }} {{ 123456789 | filesizeformat }} {{ '5000' | filesizeformat }} {{ 3000000000000 | filesizeformat(binary=true) }}
{{ '<a href="x">Tom &amp; Jerry</a>  <!-- no --> ok' | striptags }} {{ '<p>&lt;x&gt;</p>' | striptags }} {{ '<b>&' | escape }} {{ '<b>' | e | e }} {{ '<b>' | safe | e }} {{ '<b>' | forceescape }} {{ ('<' | escape) ~ '>' }} {{ ('<' | safe) + '>' }} {{ '<' | safe | forceescape }} {{ ['<' | safe] }}
{{ 'a b&c/d?e=ü' | urlencode }} {{ {'q': 'a b', 'r': '/'} | urlencode }} {{ [('x', 1)] | urlencode }} {{ {'class': 'x y', 'id': none, 'n': 1, 'q': '<'} | xmlattr }} {{ {'a': 1} | xmlattr(false) }}
{{ {'b': [1, 2, {'c': none}], 'a': 'x'} | pprint }} {{ [1, 'a'] | pprint }} {{ 'text' | pprint }} {{ range(40) | list | pprint }} {{ {'key': 'a long text of many words that goes on and on until the line is full and then some more words follow', 'other': [1, 2, 3]} | pprint }}
{{ '%s is %d' | format('x', 5) }} {{ '%(a)s' | format(a=1) }} {{ '%.1f%%' | format(12.345) }} {{ 'plain' | format }} {{ 5 | string | length }} {{ [1, 2] | string }} {{ none | string }} {{ '' | default('e') }}|{{ '' | default('e', true) }}|{{ none | default('n') }}|{{ none | d('n', boolean=true) }}|{{ 0 | default(1, true) }}
{{ [1, 'é', none, true, 1.5, {'k': []}] | tojson }} {{ [1, 'é'] | tojson(ensure_ascii=true) }} {{ '😀' | tojson(ensure_ascii=true) }} {{ {'b': 1, 'a': {'d': 1, 'c': 2}} | tojson(sort_keys=true) }} {{ {'a': [1, 2], 'b': {}} | tojson(indent=2) }} {{ [] | tojson(indent=2) }} {{ [1, [2]] | tojson(indent='\t') }} {{ {'a': 1, 'b': 2} | tojson(separators=(',', ':')) }} {{ {'a': [1]} | tojson(indent=0) }} {{ {'a': [1, 2]} | tojson(separators=(', ', ' = '), indent=1) }}
{{ '</script> & \' " \\ / \n \t \x01 \x7f é' | tojson }} {{ (1, 2) | tojson }} {{ {1: 'a', none: 'b', true: 'c', 1.5: 'd'} | tojson }} {{ 1e20 | tojson }} {{ 12345678901234567890123 | tojson }} {{ range(3) | list | tojson }} {{ 'x' | tojson | tojson }}
{{ messages | tojson }}
{{ messages[-1].content | tojson(indent=4) }}
{{ messages }}
{{ messages[0].content[0].text is string }} {{ messages[0] is mapping }} {{ messages is sequence }} {{ messages is iterable }} {{ 'x' is iterable }} {{ 5 is iterable }} {{ {} is sequence }} {{ (1,) is sequence }} {{ range(2) is sequence }} {{ messages[0].nope is defined }} {{ messages[0]['nope'] is not defined }}
{{ 1 is number }}{{ true is number }}{{ true is integer }}{{ 1.0 is integer }}{{ 1.0 is float }}{{ '1' is number }}{{ true is true }}{{ 1 is true }}{{ false is false }}{{ 0 is false }}{{ none is none }}{{ 3 is odd }}{{ 4 is even }}{{ 9 is divisibleby 3 }}{{ 9 is divisibleby(2) }}{{ 'ab' is lower }}{{ 'AB' is upper }}{{ 'x' is in 'xy' }}{{ 1 is in [2] }}{{ 'a' is eq 'a' }}{{ 2 is gt 1 }}{{ 2 is lessthan 1 }}{{ 1 is ne 2 }}{{ 2 is ge 2 }}{{ 'upper' is filter }}{{ 'nofilter' is filter }}{{ 'odd' is test }}{{ range is callable }}{{ 5 is callable }}{{ none is sameas none }}{{ 1 is sameas 1 }}{{ '<' | safe is escaped }}{{ [] is sameas [] }}
{{ 5 is not string }} {{ x is not defined }} {{ not x is defined }} {{ 5 is number and 6 is number }} {{ 5 is string or 6 is number }} {{ 5 is eq 5 and true }} {{ [5 is odd, 'a' is string] }}
{% set x = 5 %}{{ x }}{% set x, y = 1, 2 %}{{ x }}{{ y }}{% set (a, b) = [3, 4] %}{{ a }}{{ b }}{% set t = 1, 2 %}{{ t }}{% set u = 1, [2] %}{{ u }}{% set v = [1], 2 %}{{ v }}{% set w = [[1], 2] %}{{ w }}{% set c, d = 'xy' %}{{ c }}{{ d }}
{% set ns = namespace(n=0, seen=[]) %}{% for i in range(4) %}{% set ns.n = ns.n + i %}{% set ns.seen = ns.seen + [i] %}{% endfor %}{{ ns.n }} {{ ns.seen }} {{ ns.nope is defined }} {{ ns.n is even }}{% set ns2 = namespace({'a': 1}) %}{{ ns2.a }}{{ ns2['a'] }}
{% set x = 'outer' %}{% for i in [1, 2] %}{{ x }}{% set x = i %}{{ x }}{% endfor %}{{ x }}{% if true %}{% set x = 'if' %}{% endif %}{{ x }}{% with x = 'with', y = x %}{{ x }}{{ y }}{% set x = 'z' %}{% endwith %}{{ x }}
{% set body %}<{{ 1 + 1 }}{% set inner = 3 %}>{% endset %}{{ body }}{{ inner is defined }}{{ body | length }}{% set up | upper | trim %}  abc {% endset %}[{{ up }}]{{ body is string }}
{% for i in range(3) %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }}{{ loop.cycle('o', 'e') }}{{ loop.previtem is defined }}{{ loop.nextitem if loop.nextitem is defined else '-' }};{% endfor %}
{% for i in [1, 1, 2, 2, 1] %}{{ loop.changed(i) }} {% endfor %}{% for a in [1, 2] %}{% for b in 'xy' %}{{ loop.depth }}{{ a }}{{ b }}{% endfor %}{{ loop.index }}{% endfor %}
{% for k in {'a': 1, 'b': 2} %}{{ k }}{% endfor %}{% for k, v in {'a': 1}.items() %}{{ k }}{{ v }}{% endfor %}{% for k, v in {'a': 1} | items %}{{ k }}{{ v }}{% endfor %}{% for c in 'hé' %}{{ c }},{% endfor %}{% for x in [] %}x{% else %}empty{% endfor %}{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}{% for x in 1, 2 %}{{ x }}{% endfor %}{% for x in (1, 2, 3) if x != 2 %}{{ x }}{{ loop.index }}{{ loop.length }}{% endfor %}
{% for i in range(10) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 5 %}{% break %}{% endif %}{{ i }}{% endfor %}{% for x in [1, 2, 3] if x > 5 %}{{ x }}{% else %}none{% endfor %}{% for i in [1, 2] %}{% for j in [1, 2, 3] %}{% if j == 2 %}{% break %}{% endif %}{{ i }}{{ j }}{% endfor %}{% endfor %}
{% for n in [{'v': 1, 'c': [{'v': 2, 'c': []}, {'v': 3, 'c': [{'v': 4, 'c': []}]}]}] recursive %}{{ n.v }}{{ loop.depth }}{% if n.c %}({{ loop(n.c) }}){% endif %}{% endfor %}
{% macro f(a, b='d', c=none) %}[{{ a }}|{{ b }}|{{ c }}]{% endmacro %}{{ f(1) }}{{ f(1, 2) }}{{ f(1, c=3) }}{{ f(b=2, a=1) }}{{ f() }}{{ f('x') | upper }}{{ f.name }}{{ f.arguments }}
{% macro outer() %}{{ inner('x') }}{% endmacro %}{% macro inner(v) %}<{{ v }}>{% endmacro %}{{ outer() }}{% macro count(n) %}{{ n }}{% if n > 0 %}{{ count(n - 1) }}{% endif %}{% endmacro %}{{ count(3) }}{% set g = 'G' %}{% macro useg() %}{{ g }}{% endmacro %}{{ useg() }}{% set g = 'H' %}{{ useg() }}
{% macro box(t) %}{{ t }}:{{ caller() }}{% endmacro %}{% call box('a') %}in{{ 1 }}{% endcall %}{% macro each(xs) %}{% for x in xs %}{{ caller(x) }}{% endfor %}{% endmacro %}{% call(v) each([1, 2]) %}<{{ v }}>{% endcall %}{% macro maybe() %}{{ caller is defined }}{% endmacro %}{{ maybe() }}
{% if 0 %}a{% elif '' %}b{% elif [] %}c{% elif none %}d{% elif {} %}e{% elif 0.0 %}f{% else %}z{% endif %}{% if 'a' %}1{% endif %}{% if [0] %}2{% endif %}{% if messages %}3{% endif %}{% if not missing %}4{% endif %}{% if range(0) %}5{% endif %}{% if ' ' %}6{% endif %}
{% generation %}tracked{% set z = 1 %}{% endgeneration %}{{ z is defined }}{%- generation -%} a {%- endgeneration -%}b
{{ cycler('a', 'b') is defined }}{% set c = cycler('odd', 'even') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}{% set j = joiner(', ') %}{% for x in [1, 2, 3] %}{{ j() }}{{ x }}{% endfor %}
{{ bos_token }}{{ eos_token }}{{ image_token }}{{ pad_token }}|{{ nope_token }}|{{ add_generation_prompt }}{{ tools is none }}{{ documents is none }}{{ tools is defined and tools }}
{{ strftime_now is defined }}{{ raise_exception is defined }}{{ strftime_now('%%') }}{{ strftime_now('%Y') | length }}{{ strftime_now('') }}{{ strftime_now('no marks') }}
{{ messages | length }}{{ messages[0]['role'] }}{{ messages[-1].role }}{{ messages[0].get('content')[0].get('text') }}{{ messages[1:] | map(attribute='role') | list }}{{ messages[::2] | length }}{{ messages[0].keys() | list }}{{ messages[0]['content'][0].items() | list }}{{ 'role' in messages[0] }}
{{ 'a' in ['a', 'b'] and 'b' not in ['a'] or false }}{{ (1 if false else 2) + 3 }}{{ 'x' if none else 'y' if 0 else 'z' }}{{ 1 + 2 * 3 - 4 / 2 }}{{ (1 + 2) * 3 }}{{ 2 ** 3 ** 2 }}{{ 10 - 5 - 2 }}{{ 'a' ~ (1 + 2) }}{{ 7 // 2 * 2 }}{{ not true or true }}{{ 1 + 1 == 2 }}{{ 5 % 3 ~ 'x' }}
{{ [1, 2, 3] | map('string') | join('') | int + 1 }}{{ 'a,b' .split(',') [0] }}{{ ('a' ~ 'b').upper() }}{{ ('%d' % 5) ~ 'x' }}{{ ['x', 'y'][0].upper() }}{{ {'f': 'g'}['f'] * 2 }}{{ 'abc'[1].upper() }}{{ 'a'.upper is defined }}{{ 'abc'['upper']() }}{{ (('x')) }}
{{ 'x' | attr('upper') is defined }}{{ {'a': 1} | attr('a') is defined }}{{ [1, [2, 3]][1][0] }}{{ [[1, 2], [3, 4]] | map('last') | list }}{{ 3.5.is_integer() }}{{ (4.0).is_integer() }}
{{ 'Tür' | upper }}{{ 'naïve' | length }}{{ '日本語'[1] }}{{ '日本語' | reverse }}{{ '😀x' | length }}{{ 'é'.encode is defined }}{{ 'İ' | lower | length }}{{ 'ﬁ'.upper() }}{{ 'ǆ'.title() }}
{{ [1, 2, 3,] }}{{ {'a': 1,} }}{{ (1, 2,) }}{{ f is defined }}{{ [ ] }}{{ { } }}{{ [[], [[]]] }}{{ {'a': {'b': []}} }}
{% autoescape true %}{{ '<' }}{{ '<' | safe }}<{{ ['<'] }}{% endautoescape %}{{ '<' }}{% block content %}in {{ messages | length }}{% endblock %}{{ self.content() }}
{% set a = {'x': [1, 2]} %}{% set b = a.x + [3] %}{{ a }}{{ b }}{% set d = dict(a, y=5) %}{{ d }}{% set merged = dict(a.items() | list + [('z', 1)]) %}{{ merged }}
{%- set tool = {'name': 'f', 'parameters': {'type': 'object', 'properties': {'x': {'type': 'int'}}, 'required': ['x']}} -%}{{ tool | tojson(indent=4) }}{{ tool.parameters.properties.items() | list | length }}{{ tool['parameters']['required'] | join }}{% for n, p in tool.parameters.properties.items() %}{{ n }}:{{ p.type }}{% if n in tool.parameters.required %}*{% endif %}{% endfor %}
{{ "%s" % (1,) }}{{ "%s %s" % (1, (2, 3)) }}{{ '%5.1f|%-8s|' % (2.25, 'ab') }}{{ '%3d%%' % 50 }}{{ '%s' % true }}{{ '%r' % 'a' }}{{ '%.3s' % 'abcdef' }}{{ '%+.2e' % 12345.678 }}{{ '% d' % 5 }}
{{ 'a'.join(['x']) }}{{ 'A'.lower() }}{{ 'x y z'.split(maxsplit=1) }}{{ 'a,b'.split(',', -1) }}{{ 'aXbXc'.rsplit('X') }}{{ 'abc'.replace('b', 'B', -1) }}{{ 'abc'.find('c', -1) }}{{ 'abc'.count('a', 1) }}
{{ 'title case here' | title }} {{ "it's o'clock" | title }} {{ 'HELLO world' | capitalize }} {{ 'a_b c-d' | title }} {{ '[foo] {bar} <baz>' | title }}
{{ 1.0 | string }} {{ 1e100 }} {{ 123456789012345.6 }} {{ 1234567890123456.7 }} {{ 1e22 }} {{ 1.1e-5 }} {{ 5e-324 }} {{ 1.7976931348623157e308 }} {{ 100 * 1.1 }} {{ 1e5 | int }} {{ 3.0 // 2 }} {{ 2 ** 0.5 }}
{{ 10 | float }} {{ 10 / 3 }} {{ 10 % 3.5 }} {{ 7 // 2.0 }} {{ -3 // 2.0 }} {{ 5.0 == 5 }} {{ '5' == 5 }} {{ 0.1 + 0.2 == 0.3 }} {{ 1e16 + 1 }} {{ 2**53 + 1 }} {{ 1.5 | int }} {{ -1.5 | int }}
{{ [1,2,3][-1] }} {{ [1,2,3][1:][0] }} {{ 'abc'[::2] }} {{ [0,1,2,3,4,5][1:5:2] }} {{ [0,1,2,3][-3:-1] }} {{ [1,2,3][:-5] }} {{ [1,2,3][-5:] }} {{ 'abc'[-2:] }} {{ (1,2,3)[::-1] }} {{ range(10)[2:8:3] | list }} {{ range(10)[::-1] }}
{{ {'a': 1, 'b': 2} | list }} {{ {'a': 1} | length }} {{ {'a': 1}.items() | first }} {{ {'b': 2, 'a': 1} | dictsort | first }} {{ {'a': 1} | items | list }} {{ {'x': 1} == {'x': 1} }} {{ {'a': 1, 'b': 2} == {'b': 2, 'a': 1} }} {{ dict({'a': 1}, **{'b': 2}) }}
{{ [[1, 2], [3, 4]] | sum(start=[]) }} {{ [1, 2, 3] | batch(2, 0) | list }} {{ 'abc' | list }} {{ 'abc' | first | upper }} {{ ['x'] * 3 }} {{ [] + [1] }} {{ [1, 2] == [1, 2] }} {{ [1] != [2] }} {{ (1, 2) == [1, 2] }} {{ [1, 2] in [[1, 2]] }}
{{ 'foo' is string and 'foo' is not mapping }} {{ none is string }} {{ undefined_x is string }} {{ {} is iterable }} {{ 'a' is sequence }} {{ 1 is sequence }} {{ [] is mapping }} {{ 5 is divisibleby(5) }} {{ 'A' is upper }} {{ 0 is even }} {{ none is defined }} {{ 'x' is sameas 'x' }} {{ true is integer }} {{ 1.0 is number }}
{% set x = [] %}{% for i in range(3) %}{% set x = x + [i] %}{% endfor %}{{ x }}{% set ns = namespace(x=[]) %}{% for i in range(3) %}{% set ns.x = ns.x + [i] %}{% endfor %}{{ ns.x }}
{% set content = messages[0].content %}{% if content is string %}s{% elif content is iterable and content is not mapping %}l{% endif %}{{ content | map(attribute='text') | join('|') }}{{ content[0]['text'].split(' ')[0] }}{{ content[0].text | replace('<', '[') }}
{% for m in messages %}{% if loop.first %}F{% endif %}{% if not loop.last %}, {% endif %}{{ loop.index0 }}/{{ loop.length }}{% if loop.nextitem is defined %}->{{ loop.nextitem.role }}{% endif %}{% endfor %}
{% for m in messages if m['role'] != 'system' %}{{ loop.index }}{{ m.role }}{% endfor %}{% for k in messages[0] %}{{ k }}{% endfor %}{% for a in messages | map(attribute='role') | unique %}{{ a }}{% endfor %}{% for i in range(1, 4) | reverse %}{{ i }}{% endfor %}{% for x in [[1, 2], [3, 4]] %}{{ x[0] }}{{ x | last }}{% endfor %}
{% macro r(d, depth=0) %}{% for k, v in d.items() %}{{ '  ' * depth }}{{ k }}:{% if v is mapping %}{{ r(v, depth + 1) }}{% else %}{{ v }};{% endif %}{% endfor %}{% endmacro %}{{ r({'a': {'b': 1, 'c': {'d': 2}}, 'e': 3}) }}
{%- macro type_of(p) -%}{%- if p is mapping -%}{%- if p.type is string -%}{{ p.type }}{%- elif p.type is sequence -%}{{ p.type | join('|') }}{%- endif -%}{%- else -%}any{%- endif -%}{%- endmacro -%}{{ type_of({'type': 'int'}) }} {{ type_of({'type': ['a', 'b']}) }} {{ type_of(5) }}
{% set a = 'x' %}{% set a = a ~ 'y' %}{{ a }}{% set b %}{{ a }}{{ a }}{% endset %}{{ b | length }}{{ b.upper() }}{% set c = b | replace('x', '') %}{{ c }}{% set d = {'k': a} %}{{ d.k }}{% set e = [a, b] | join(',') %}{{ e }}
{{ 'a' if true }}{{ 'b' if false else '' }}{{ ('x' if false) is defined }}{{ [1 if true else 2, 3] }}{{ {'a': 1 if false else 2}.a }}{{ 'yes' if messages else 'no' }}{{ 'A' if 1 == 2 else 'B' if 2 == 2 else 'C' }}
{{ messages[0].role == 'system' and messages | length > 1 }}{{ messages[0].role == 'user' or messages[1].role == 'user' }}{{ not messages[0].role == 'user' }}{{ (messages | length) % 2 == 0 }}{{ messages | length is even }}{{ loop is defined }}
{{ '\n'.join(['a', 'b']) }}{{ "\t|" }}{{ '\r' | length }}{{ 'a\\nb' }}{{ '\u00e9\u4e2d' }}{{ "\x41" }}{{ '{{' }}{{ '{%' }}{{ "'" }}{{ '"' }}{{ '\x00' | length }}{{ '\ud83d\ude00' | tojson if false else 'q' }}
{{ {'a': [1, {'b': 2}], 'c': 'd'} | tojson(indent=2) }}{{ {} | tojson(indent=2) }}{{ [[], {}] | tojson(indent=1) }}{{ {'z': 1, 'a': {'y': 1, 'b': 2}} | tojson(sort_keys=true, indent=2) }}{{ 'é"\\' | tojson }}{{ none | tojson }}{{ 1.0 | tojson }}{{ true | tojson }}{{ [1.5, 2e-7] | tojson }}{{ {'a': 1} | tojson | length }}{{ {'a': 'ü'} | tojson(ensure_ascii=true, separators=(',', ':')) }}
{{ {'a': 1} | string }}{{ [none, true] | string }}{{ (1, 'a') | string }}{{ 1.50 | string }}{{ 'x' | string }}{{ {'a': {'b': [1, 2]}} }}{{ [[], [()], {}] }}{{ ('a',) ~ '' }}{{ {'a': 'it\'s'} }}{{ ["a'b\"c"] }}{{ ['\n'] }}{{ [1e20, 0.1, -0.0, 1e-10] }}
{{ 'ab' < 'b' }}{{ 'a' == 'a' }}{{ 'B' < 'a' }}{{ [1, 2] < [1, 2, 3] }}{{ 1 <= 1.0 }}{{ true == 1 }}{{ none != 0 }}{{ 1 < 2 == true }}{{ 'a' in 'abc' in ['x'] }}{{ 3 not in [1, 2] and 1 in [1] }}{{ 5 > 3 > 1 }}{{ 1 == 1 == 1 }}
{{ 'hello world foo'.split() | map('capitalize') | join(' ') }}{{ ['b', 'a'] | sort | first }}{{ [3, 1, 2] | sort(reverse=true) | join(',') }}{{ ['a', 'b', 'c'] | reverse | join }}{{ [1, 2, 3] | map('pprint') | list }}{{ ['1', '2'] | map('int') | map('string') | list }}{{ [1, 2, 3, 4] | select('odd') | map('string') | join }}{{ ['a', ''] | select | list }}{{ [none, 1] | reject('none') | list }}
{{ 'text' | wordwrap(2) }}{{ 'aaa bbb ccc' | wordwrap(7) }}{{ 'hello\nworld foo' | wordwrap(5) }}{{ 'longword short' | wordwrap(5, break_long_words=false) }}{{ 'a-b-c-d-e-f' | wordwrap(4) }}{{ 'one two' | wordwrap(3, true, '|') }}{{ '' | wordwrap(5) }}{{ '  lead  trail  ' | wordwrap(8) }}{{ 'x.y,z e-mail co-operate --flag -x a--b' | wordwrap(9) }}
{{ 12345.678 | round(2) }}{{ 0.5 | round }}{{ 1.5 | round }}{{ 2.5 | round(0) }}{{ -0.5 | round }}{{ 1.005 | round(2) }}{{ 3.14159 | round(3, 'floor') }}{{ 3.1 | round(0, 'ceil') | int }}{{ 10 | round(2) }}{{ 15 | round(-1) }}{{ 25 | round(-1) }}{{ 1e20 | round }}{{ 12.0 | round | int }}
{{ 1234567 | filesizeformat }}{{ 1024 | filesizeformat(true) }}{{ 1023 | filesizeformat(true) }}{{ 1.0 | filesizeformat }}{{ 500.7 | filesizeformat }}{{ (10 ** 25) | filesizeformat }}{{ (10 ** 27) | filesizeformat }}
{{ 'a b' | urlencode }}{{ 'ä/&' | urlencode }}{{ {'a b': 'c&d'} | urlencode }}{{ 5 | urlencode }}{{ {'id': 'x"y', 'none': none, 'u': undefined_v} | xmlattr }}{{ '<p>a  b</p>' | striptags }}{{ 'a < b > c' | striptags }}{{ '&quot;x&#39;&#x41;' | striptags }}
{{ messages | groupby('role') | length }}{% for role, items in messages | groupby('role') %}{{ role }}:{{ items | length }},{% endfor %}{{ messages | groupby('role') | map(attribute='grouper') | list }}{{ messages | map(attribute='content') | map('first') | map(attribute='type') | list }}{{ messages | map(attribute='content.0.type') | list }}
{{ '{:>10}|{:^10}|{:<10}|'.format('a', 'b', 'c') }}{{ '{0}{0}'.format('x') }}{{ '{:03d}'.format(7) }}{{ '{:,}'.format(1234567) }}{{ '{:_}'.format(1234567) }}{{ '{:.0f}'.format(2.5) }}{{ '{:e}'.format(0) }}{{ '{:g}'.format(0.00001) }}{{ '{:s}'.format('s') }}{{ '{!s}'.format(5) }}{{ '{:d}'.format(true) }}{{ '{}'.format(none) }}{{ '{:10.3f}|'.format(3.14159) }}{{ '{:+.1f}'.format(2) }}{{ '{:#x}'.format(255) }}{{ '{:08.2f}'.format(-3.14159) }}{{ '{:X}'.format(255) }}{{ '{:%}'.format(0.5) }}{{ '{:>+8,.2f}'.format(1234.5) }}{{ '{:012,}'.format(1234) if false else '' }}
{{ 'aßc'.upper() }}{{ 'ÀÉ'.casefold() }}{{ 'abc'.isidentifier() }}{{ '１２'.isdigit() }}{{ '٣'.isdecimal() }}{{ '一'.isnumeric() }}{{ 'ª'.isalpha() }}{{ 'Ⅷ'.isnumeric() }}{{ 'ⅷ'.isalpha() }}{{ 'a'.isprintable() }}{{ '\u00a0'.isspace() }}{{ 'Dž'.istitle() }}{{ 'ß'.islower() }}{{ 'ʰ'.islower() }}
{{ "Hello"[0] }}{{ "Hello"[1:3] }}{{ "Hello" | length }}{{ "Hello".endswith("lo") }}{{ "Hello" + " " + "World" }}{{ "Hello" ~ 5 }}{{ "a" "b" ~ "c" }}{{ "x".center(5, "-") }}{{ "Hello" | reverse }}{{ "hello" | first }}{{ "a,b;c".replace(";", ",").split(",") }}
{{ lipsum is defined }}{{ range is defined }}{{ dict is defined }}{{ namespace is defined }}{{ joiner is defined }}{{ cycler is defined }}{{ open is defined }}{{ print is defined }}{{ len is defined }}{{ str is defined }}
{{ 5 | attr('real') if false }}{{ 'x' | d('y') }}{{ undefined_x | d }}|{{ undefined_x | default(none) }}|{{ undefined_x | default([]) }}|{{ undefined_x.y | default('z') if false }}|{{ false | default('x') }}|{{ false | default('x', true) }}|{{ messages[0].z | default('w') }}
{%- set sys = messages[0].content if messages[0].role == 'system' else none -%}{{ sys[0].text if sys else '' }}{%- if sys is not none and sys | length > 0 -%}!{%- endif -%}{{ (messages[1:] if sys else messages) | length }}{%- for m in (messages[1:] if sys else messages) -%}{{ m.role }}{%- endfor -%}
{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% endif %}{{ loop_messages | length }}{{ system_message[0].text }}{% if true %}{% set q = 1 %}{% if true %}{% set q = 2 %}{% endif %}{% endif %}{{ q }}
{{ 2 * 'ab' }}{{ 'ab' * 2 }}{{ [0] * 3 }}{{ 3 + 4 * 2 ** 2 }}{{ (3 + 4) * 2 }}{{ -2 ** 2 }}{{ 2 ** -1 }}{{ 7 % 3 }}{{ -7 % 3 }}{{ 7.5 % 2 }}{{ 1 // 1 }}{{ 1 - 2 }}{{ 1 -2 }}{{ 1 -(-2) }}{{ 10 // 3 * 3 + 10 % 3 }}
{% set data = {'k': [{'n': 'a', 'v': [1, 2]}, {'n': 'b', 'v': []}]} %}{% for x in data.k %}{{ x.n }}{% for y in x.v %}{{ y }}{{ loop.parent is defined }}{% else %}-{% endfor %}{% endfor %}{{ data['k'][0].v | sum }}{{ data.k | map(attribute='n') | join }}{{ data.k | selectattr('v') | map(attribute='n') | list }}{{ data.k | sort(attribute='n', reverse=true) | map(attribute='n') | list }}
{{ 'x' in none if false else 'ok' }}{{ '' in 'abc' }}{{ 'ab' in 'abc' }}{{ 1 in (1,) }}{{ 'a' in {'a': none} }}{{ none in [none] }}{{ 'x' in [] }}{{ 'x' in undefined_q }}{{ true in [1] }}{{ 'A' in 'abc' }}{{ [] in [[]] }}
{{ 0 == none }}{{ '' == none }}{{ [] == none }}{{ undefined_a == undefined_b }}{{ undefined_a != none }}{{ undefined_a is none }}{{ undefined_a == false }}{{ not undefined_a }}{{ undefined_a and 1 }}|{{ undefined_a or 1 }}{{ undefined_a if undefined_a else 'e' }}{{ [undefined_a] }}{{ {'a': undefined_a} }}{{ undefined_a | string }}|{{ undefined_a | list }}{{ undefined_a | join }}|{{ undefined_a | first }}|{{ undefined_a | trim }}|{{ undefined_a | length }}{{ undefined_a ~ 'x' }}{{ undefined_a | sort }}{{ undefined_a | map('upper') | list }}{{ undefined_a | reverse | list }}{{ undefined_a | unique | list }}{{ undefined_a | items | list }}{{ undefined_a | replace('a', 'b') }}|{{ undefined_a | title }}|{{ undefined_a | max }}|{{ undefined_a | batch(2) | list }}{{ undefined_a | select | list }}{{ undefined_a | escape }}|{{ undefined_a | wordcount }}{{ undefined_a | capitalize }}|{{ undefined_a | striptags }}|{{ undefined_a | urlencode }}|{{ undefined_a | center(3) }}|
{{ [1, 2, 3] | join(',') }}{{ [1, 2, 3] | map('string') | join(', ') }}{{ [1, [2, 3]] | join('-') }}{{ (1, 2) | join }}{{ range(3) | join }}{{ {'a': 1}.values() | join }}{{ ['a'] | join(', ') | upper }}{{ 'x' | join('-') }}{{ messages | map(attribute='role') | join(' > ') }}{{ [true, none] | join('/') }}
x{%- if true %} y {%- endif %} z{{- ' w ' }} v {{ 'u' -}}  t {#- c -#} s
{{ 'a' }} {%+ if true %} b {%+ endif %} c
{# multi #}{% set x = 1 -%}   y{% if x %}{{ x }}{% endif -%}   z
{{- 'a' -}} {{ ' b ' }} {{- 'c' }}
{{ 1if true else 2 }}{{ [1,2]|length }}{{ 'a'|upper~'b' }}{{ 1+1|string|length }}{{ (1+1)|string }}{{ not 1 in [1] }}{{ 'x'is string }}{{ 2**3**0 }}{{ 1.5|round|int+1 }}{{ -1|abs }}{{ -1.5|abs }}{{ 'a'.upper()|lower }}{{ {'a':1}['a']+1 }}{{ [[1]][0][0] }}
{{ none }}{{ None }}{{ True }}{{ False }}{{ true and True }}{{ none is none }}{{ None == none }}{{ [None, True] }}{{ true | int }}{{ false | string }}{{ None | string | upper }}{{ not None }}{{ True + True }}
{{ caller is defined }}{{ varargs is defined }}{{ kwargs is defined }}{% macro a() %}{% set z = 5 %}{{ z }}{% endmacro %}{{ a() }}{{ z is defined }}{% macro b(x) %}{% if x > 0 %}{{ x }}{{ b(x - 1) }}{% endif %}{% endmacro %}{{ b(3) }}{% macro c(x=[]) %}{{ x | length }}{% endmacro %}{{ c() }}{{ c([1]) }}{% macro d(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ d(1) }}
{% for i in [1, 2, 3] %}{% if i is odd %}{% continue %}{% endif %}{{ i }}{% else %}none{% endfor %}{% for i in [] %}{% else %}{{ 'e' }}{% endfor %}{% for i in [1, 2] %}{% set y = i %}{% endfor %}{{ y is defined }}{% for i in range(3) %}{% for j in range(i) %}{{ i }}{{ j }} {% endfor %}{% endfor %}{% for a, b in {'x': 1}.items() %}{{ a }}={{ b }}{% endfor %}{% for i, c in [(1, 'a'), (2, 'b')] %}{{ i }}{{ c }}{% endfor %}
{{ [3, 1] | min }}{{ ['b', 'a'] | max }}{{ [1.5, 1] | max }}{{ {'a': 1, 'b': 2} | max }}{{ messages | map(attribute='role') | max }}{{ [[1, 2], [0, 5]] | min }}{{ [] | min is defined }}{{ [1, 2] | sum / 2 }}{{ [0.1] * 3 | sum if false }}{{ [0.1, 0.2] | sum }}{{ ['a', 'b'] | sort(reverse=True) }}{{ [True, False] | sort }}{{ [2, 1.5] | sort }}
{{ 'abc' | truncate(10) }}{{ 'hello world' | truncate(5) }}{{ 'hello world' | truncate(5, true) }}{{ 'hello big wide world' | truncate(12) }}{{ 'hello' | truncate(3, true, '', 0) }}{{ 'x' * 300 | length if false }}{{ ('word ' * 60) | truncate | length }}{{ 'a b c' | truncate(4, leeway=0, end='…') }}{{ 'abcdefgh' | truncate(length=6, killwords=true, leeway=1) }}
{{ 'a\nb' | indent(4, true) }}{{ 'a\n\nb' | indent(2, false, true) }}{{ 'a' | indent }}{{ 'x\ny\n' | indent(1, true) }}{{ '\na' | indent(2) }}{{ 'a\r\nb' | indent(1) }}{{ ['a', 'b'] | join('\n') | indent(2, first=True) }}
{{ messages[1].content | selectattr('type', 'equalto', 'text') | map(attribute='text') | join('') }}{{ messages[1].content | rejectattr('type', 'equalto', 'image') | list | length }}{{ messages[1]['content'] | length }}{{ messages[1].content[-1].text[-3:] }}{{ messages[1].content[0] == {'type': 'image'} }}{{ messages[1].content[0].text is defined }}{{ messages[1].content[1]['text'].split('\n') }}{{ messages[1].content[1].text | replace('\n', ' ') | trim }}{{ 'image' in messages[1].content[0] }}{{ 'image' in messages[1].content[0].values() }}{{ messages[1].content | map(attribute='type') | list }}{{ messages[1].content | map(attribute='text', default='<i>') | list }}
"""

# Those that jinja2 refuses, when they are parsed or when they run.
FAULTS = r"""
{{ 1 + 'a' }}
{{ 'a' + 1 }}
{{ none + 'a' }}
{{ [1] + (2,) }}
{{ 1 / 0 }}
{{ 5 % 0 }}
{{ missing.attr }}
{{ missing['x'] }}
{{ missing[1:] }}
{{ missing + 'x' }}
{{ missing() }}
{{ missing < 1 }}
{{ 1 < 'a' }}
{{ 'a' in 5 }}
{{ 1 in 'abc' }}
{{ 5 | length }}
{{ [1, 'a'] | sort }}
{{ [1].append(2) }}
{{ {'a': 1}.update({'b': 2}) }}
{{ {'a': 1}.pop('a') }}
{{ 'abc'.nope() }}
{{ 'abc'.split('') }}
{{ 'abc'.index('x') }}
{{ ','.join([1, 2]) }}
{{ '%d' % 'x' }}
{{ '%s %s' % ('a',) }}
{{ '%s' % ('a', 'b') }}
{{ '%q' % 1 }}
{{ '{} {}'.format(1) }}
{{ '{x}'.format(y=1) }}
{{ '{:d}'.format('x') }}
{{ 'x' | nofilter }}
{{ 'x' is notest }}
{% for x in [] %}{{ x | nofilter }}{% endfor %}
{% if true %}{{ 1 | nofilter }}{% endif %}
{{ missing | tojson }}
{{ range(3) | tojson }}
{{ range(1000000) }}
{% for a, b in [1] %}{% endfor %}
{% for a, b in [(1, 2, 3)] %}{% endfor %}
{% for x in 5 %}{% endfor %}
{% set a, b = [1] %}
{% macro f(a) %}{% endmacro %}{{ f(1, 2) }}
{% macro f(a) %}{% endmacro %}{{ f(b=1) }}
{% do messages %}
{% include 'x' %}
{% import 'x' as y %}
{% extends 'x' %}
{% if true %}
{% endif %}
{% for x in [1] %}{% endif %}
{% unknown %}
{{ }}
{{ 1 + }}
{{ 'open }}
{{ raise_exception('no') }}
{{ messages + 'x' }}
{{ {[1]: 2} }}
{{ 'a' * 'b' }}
{{ -'a' }}
{{ 2.5 | batch }}
{{ 'abc'.center('x') }}
{% set ns = namespace(_x=1) %}
{% set x = {} %}{% set x.y = 1 %}
{{ ''.__class__.__mro__ }}
{{ 'abc' | truncate(2, false, '...') }}
{{ 1() }}
{{ messages[0][:1] }}
{{ (messages | length)[1:] }}
{{ messages['x':] }}
{{ messages | unique | list }}
{{ missing | int }}
{{ missing | float }}
{{ missing | round }}
{{ missing | attr('x') }}
{{ {'a': 1}() }}
{{ [] | first | upper + none }}
"""

# Those of several lines.
LINES = [
    '{% raw %}\n{{ kept }}\n{% endraw %}\nx{%- raw -%}\n y\n{% endraw +%}\n{# {% raw %}\n #}{{ "{% raw %}\n" }}',
    '{{ \'a\' \'b\' "c" }} {{ "x" ~ \'y\' \'z\' }} {{ \'multi\\\nline\' }}',
    "{% macro m(x) -%}\n   {{ x }}\n{%- endmacro %}{{ m(1) }}|{{ m('a') ~ m('b') }}|{{ m([1, 2]) }}|{{ [m(1), 2] }}",
    "{% filter upper %}abc {{ 'x' }}{% set q = 1 %}{% endfilter %}{{ q is defined }}{% filter replace('a', 'b') | trim %} aaa {% endfilter %}{% filter indent(2) %}a\nb{% endfilter %}",
    "{% raw %}{{ not }} {% if %}{% endraw %} {# gone {{ x }} #}{#- trim -#} x {{- ' y ' -}} z\na\n  {%- if true %}\n  b\n  {% endif -%}\n  c",
    "{% if true %}\n  d\n{%+ endif %}\ne\n\t{% set x = 1 %}\t\nf {% if true %} g {% endif %} h\n    {# comment #}\ni\n  {{ 'var' }}\n  j\nline\n{%- for x in [1, 2] %}\n\n  {{ x }}\n{%- endfor %}\n\nend",
    '{{ "a\\nb" }}{{ \'a\nb\' }}{{ "quote\'s" }}{{ \'dq"s\' }}{{ [\'a\', "b\'c"] | join("\', \'") }}{{ \'{% raw %}\' }}{{ \'#}\' }}{{ \'}}\' }}',
]
