# Perl at many different tasks, none of them long: parsing its own kind of text, formatting, patterns, closures, sorting,
# and subroutines that it writes and compiles itself. Prints what the bench compares.
use strict;
use warnings;
no warnings 'redundant';

my $rounds = $ARGV[0] // 40;
my $seed   = 12345;
my $sum    = 0;

sub random { $seed = ($seed * 1103515245 + 12345) & 0x7fffffff; return ($seed >> 8) % $_[0]; }
sub note { $sum = ($sum * 31 + unpack('%32C*', join "\0", map { defined ? $_ : 'undef' } @_)) & 0x7fffffff; return; }

# An expression parser and evaluator over text.
sub tokens { my ($text) = @_; return $text =~ /\s*(\d+\.?\d*|[-+*\/%()<>]|\w+)/g; }
sub primary {
  my ($queue) = @_;
  my $token = shift @$queue;
  if ($token eq '(') { my $value = expression($queue); shift @$queue; return $value; }
  return -primary($queue) if $token eq '-';
  return $token =~ /^\d/ ? $token : length $token;
}
sub product {
  my ($queue) = @_;
  my $value = primary($queue);
  while (@$queue && $queue->[0] =~ m{^[*/%]$}) {
    my $operator = shift @$queue;
    my $right    = primary($queue) || 1;
    $value = $operator eq '*' ? ($value * $right) % 100003 : $operator eq '/' ? int($value / $right) : $value % $right;
  }
  return $value;
}
sub expression {
  my ($queue) = @_;
  my $value = product($queue);
  while (@$queue && $queue->[0] =~ /^[-+]$/) {
    my $operator = shift @$queue;
    my $right    = product($queue);
    $value = $operator eq '+' ? $value + $right : $value - $right;
  }
  return $value;
}

sub make_expression {
  my ($depth) = @_;
  return random(1000) if $depth == 0;
  my ($left, $right) = (make_expression($depth - 1), make_expression($depth - 1));
  my $operator = ('+', '-', '*', '/', '%')[random(5)];
  return random(2) ? "($left $operator $right)" : "$left $operator $right";
}

# Subroutines written by the program: each is another piece of Perl for its parser and its code generator.
my @templates = (
  'sub { my ($n) = @_; my @list = map { $_ * %d %% 97 } 1 .. $n; return scalar grep { $_ > %d } @list; }',
  'sub { my ($n) = @_; my %%seen; $seen{$_ %% %d}++ for 0 .. $n; return join ",", map { "$_=$seen{$_}" } sort keys %%seen; }',
  'sub { my ($n) = @_; my $text = "a%dx" x $n; $text =~ s/(\d)x/<$1>/g; $text =~ tr/a-f/b-g/; return substr $text, -%d; }',
  'sub { my ($n) = @_; my $total = %d; for (my $i = 0; $i < $n; $i += 2) { next if $i %% 3; last if $total > %d; $total += $i; } return $total; }',
  'sub { my ($n) = @_; return sprintf "%%05d|%%-8s|%%x|%%.3f|%d|%d", $n, "k" . $n, $n * 77, $n / 7; }',
  'sub { my ($n) = @_; my @s = (1); push @s, $s[-1] + ($s[-2] // %d) while @s < $n; return join ":", reverse splice @s, 0, 5 + %d; }',
);

sub compiled_work {
  for my $index (0 .. $#templates) {
    my $source = sprintf $templates[$index], 3 + random(20), 5 + random(30);
    my $code = eval $source or die "$@: $source";
    note($code->($_)) for 3, 10, 20;
  }
}

sub parsing_work {
  for (1 .. 12) {
    my @queue = tokens(make_expression(4));
    note(expression(\@queue));
  }
}

sub record_work {
  my @records = map { { name => join('', map { chr(97 + random(26)) } 1 .. 3 + random(6)), age => random(90), tags => [map { random(9) } 0 .. random(4)] } } 1 .. 60;
  my %by_tag;
  push @{ $by_tag{$_} }, $_[0] for map { @{ $_->{tags} } } @records;
  my @sorted = sort { $a->{age} <=> $b->{age} || $a->{name} cmp $b->{name} } @records;
  note(map { "$_->{name}:$_->{age}" } @sorted[0 .. 9]);
  note(map { "$_=" . @{ $by_tag{$_} } } sort keys %by_tag);
  my @packed = map { pack 'nA8C/a*', $_->{age}, $_->{name}, join '', @{ $_->{tags} } } @records;
  note(map { join '/', unpack 'nA8C/a*' } @packed[0 .. 5]);
}

sub text_work {
  my $text = join "\n", map { join ' ', map { ('alpha', 'Beta', 'gamma-ray', '12.5', '0x1f', 'user@host.org', '<b>bold</b>')[random(7)] } 1 .. 9 } 1 .. 15;
  my %kinds;
  for my $word (split /\s+/, $text) {
    my $kind = $word =~ /^0x([0-9a-f]+)$/ ? 'hex' . hex $1 : $word =~ /^\d+\.\d+$/ ? 'decimal' : $word =~ /^(\w+)@(\w+)\.(?:org|com)$/ ? "mail-$2" : $word =~ m{^<(\w)>(.*?)</\1>$} ? "tag-$2" : ucfirst lc $word;
    $kinds{$kind}++;
  }
  note(map { "$_ $kinds{$_}" } sort keys %kinds);
  (my $wrapped = $text) =~ s/(.{1,30})(?:\s+|$)/$1\n/g;
  $wrapped =~ s/^(\s*)(\w)/$1\u$2/mg;
  note(length $wrapped, $wrapped =~ tr/\n//, index($wrapped, 'Gamma'), lc substr $wrapped, 100, 20);
  note(scalar reverse(join '', sort split //, substr $text, 0, 200)), note(join '', map { sprintf '%02x', ord } split //, substr $text, 50, 40);
}

sub closure_work {
  my @counters = map { my $step = $_; my $count = 0; { next => sub { $count += $step }, reset => sub { $count = 0 } } } 1 .. 8;
  for (1 .. 60) {
    my $counter = $counters[random(8)];
    my $value   = $counter->{next}->();
    $counter->{reset}->() if $value > 40;
    $sum = ($sum + $value) & 0x7fffffff;
  }
  my $fold = sub { my ($function, $value, @list) = @_; $value = $function->($value, $_) for @list; return $value; };
  note($fold->(sub { $_[0] * 3 + $_[1] & 0xffff }, 1, map { random(50) } 1 .. 30));
  my $memory = {};
  my $ways;
  $ways = sub { my ($n, $k) = @_; return $memory->{"$n,$k"} //= $n == 0 ? 1 : $n < 0 || $k == 0 ? 0 : $ways->($n - $k, $k) + $ways->($n, $k - 1); };
  note($ways->(30 + random(10), 10));
}

package Shape { sub new { my ($class, %with) = @_; return bless {%with}, $class; } sub area { 0 } sub name { lc ref $_[0] } }
package Square { our @ISA = ('Shape'); sub area { $_[0]{side}**2 } }
package Disc { our @ISA = ('Shape'); sub area { int 3 * $_[0]{radius}**2 } sub name { 'round ' . $_[0]->SUPER::name } }

sub object_work {
  my @shapes = map { random(2) ? Square->new(side => random(9)) : Disc->new(radius => random(9), colour => 'red') } 1 .. 40;
  my %total;
  $total{ $_->name } += $_->area for @shapes;
  note(map { "$_ $total{$_}" } sort keys %total);
  note(Square->can('area') ? 'can' : 'cannot', $shapes[0]->isa('Shape'), eval { $shapes[0]->missing; 1 } ? 'ran' : 'died');
}

my @work = (\&compiled_work, \&parsing_work, \&record_work, \&text_work, \&closure_work, \&object_work);
for my $round (1 .. $rounds) {
  $work[($_ * 5 + $round) % @work]->() for 0 .. 4 * @work;
}
printf "perl checksum %08x\n", $sum;
