/** `torch.nn.LSTM`, `GRU`, `RNN` and their cells. */

const recurrent = (name: string, gates: number): string => `class ${name}(RNNBase):
    def __init__(self, input_size, hidden_size, num_layers=1, ${name === 'RNN' ? "nonlinearity='tanh', " : ''}bias=True, batch_first=False, dropout=0.0, bidirectional=False, ${name === 'LSTM' ? 'proj_size=0, ' : ''}device=None, dtype=None):
        self._setup('${name.toLowerCase()}', ${gates}, input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, ${name === 'LSTM' ? 'proj_size' : '0'})
`;

const cell = (name: string, gates: number): string => `class ${name}Cell(Module):
    def __init__(self, input_size, hidden_size, bias=True, ${name === 'RNN' ? "nonlinearity='tanh', " : ''}device=None, dtype=None):
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.weight_ih = Parameter(torch.empty(${gates} * hidden_size, input_size))
        self.weight_hh = Parameter(torch.empty(${gates} * hidden_size, hidden_size))
        if bias:
            self.bias_ih = Parameter(torch.empty(${gates} * hidden_size))
            self.bias_hh = Parameter(torch.empty(${gates} * hidden_size))
        else:
            self.bias_ih = None
            self.bias_hh = None

    def forward(self, input, hx=None):
        hidden = headwise.map_last('${name.toLowerCase()}_cell', input, self.input_size, self.hidden_size)
        return ${name === 'LSTM' ? "hidden, headwise.result('lstm_cell', hidden.shape, hidden)" : 'hidden'}
`;

export const torchRecurrent = `
class RNNBase(Module):
    def _setup(self, mode, gates, input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size):
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = dropout
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        width = proj_size if proj_size > 0 else hidden_size
        directions = ['', '_reverse'] if bidirectional else ['']
        for layer in range(num_layers):
            for direction in directions:
                inputs = input_size if layer == 0 else width * len(directions)
                end = '_l' + str(layer) + direction
                setattr(self, 'weight_ih' + end, Parameter(torch.empty(gates * hidden_size, inputs)))
                setattr(self, 'weight_hh' + end, Parameter(torch.empty(gates * hidden_size, width)))
                if bias:
                    setattr(self, 'bias_ih' + end, Parameter(torch.empty(gates * hidden_size)))
                    setattr(self, 'bias_hh' + end, Parameter(torch.empty(gates * hidden_size)))
                if proj_size > 0:
                    setattr(self, 'weight_hr' + end, Parameter(torch.empty(proj_size, hidden_size)))

    def flatten_parameters(self):
        pass

    def reset_parameters(self):
        pass

    def forward(self, input, hx=None):
        width = self.proj_size if self.proj_size > 0 else self.hidden_size
        count = 2 if self.bidirectional else 1
        packed = isinstance(input, torch.nn.utils.rnn.PackedSequence)
        data = input.data if packed else input
        output = headwise.map_last(self.mode, data, self.input_size, width * count)
        rank = headwise.rank(data)
        if packed:
            output = torch.nn.utils.rnn.PackedSequence(output, input.batch_sizes)
            state = headwise.result(self.mode, (self.num_layers * count, input.batch, width), data)
            cell = headwise.result(self.mode, (self.num_layers * count, input.batch, self.hidden_size), data)
        elif rank is None:
            state = headwise.unknown('the state of unknown rank')
            cell = state
        else:
            batch = () if rank == 2 else (data.shape[0 if self.batch_first else 1],)
            state = headwise.result(self.mode, (self.num_layers * count,) + batch + (width,), data)
            cell = headwise.result(self.mode, (self.num_layers * count,) + batch + (self.hidden_size,), data)
        if self.mode == 'lstm':
            return output, (state, cell)
        return output, state


${recurrent('RNN', 1)}

${recurrent('LSTM', 4)}

${recurrent('GRU', 3)}

class RNNCellBase(Module):
    pass


${cell('RNN', 1)}

${cell('LSTM', 4)}

${cell('GRU', 3)}
`;

/** `torch.nn.utils.rnn`. */
export const torchPacking = `
import headwise


class PackedSequence:
    def __init__(self, data, batch_sizes=None, sorted_indices=None, unsorted_indices=None, batch=None):
        self.data = data
        self.batch_sizes = batch_sizes
        self.sorted_indices = sorted_indices
        self.unsorted_indices = unsorted_indices
        self.batch = batch

    def to(self, *args, **kwargs):
        return self


def pack_padded_sequence(input, lengths, batch_first=False, enforce_sorted=True):
    data = headwise.result('pack_padded_sequence', (headwise.unknown('the number of steps'),) + input.shape[2:], input)
    steps = headwise.result('batch_sizes', (headwise.unknown('the longest length'),), dtype='int64')
    return PackedSequence(data, steps, batch=input.shape[0 if batch_first else 1])


def pad_packed_sequence(sequence, batch_first=False, padding_value=0.0, total_length=None):
    steps = headwise.unknown('the longest length') if total_length is None else total_length
    leading = (sequence.batch, steps) if batch_first else (steps, sequence.batch)
    padded = headwise.result('pad_packed_sequence', leading + sequence.data.shape[1:], sequence.data)
    return padded, headwise.result('lengths', (sequence.batch,), dtype='int64')


def pack_sequence(sequences, enforce_sorted=True):
    return PackedSequence(headwise.unknown('packed data'))
`;
