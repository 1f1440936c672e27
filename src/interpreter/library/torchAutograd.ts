/** `torch.autograd.Function`: calling `apply` runs `forward`. */
export const torchAutograd = `
import headwise


class _Context:
    def save_for_backward(self, *tensors):
        self.saved_tensors = tensors

    def save_for_forward(self, *tensors):
        pass

    def mark_dirty(self, *args):
        pass

    def mark_non_differentiable(self, *args):
        pass

    def set_materialize_grads(self, value):
        pass


class Function:
    @classmethod
    def apply(cls, *args, **kwargs):
        if hasattr(cls, 'setup_context'):
            return cls.forward(*args, **kwargs)
        return cls.forward(_Context(), *args, **kwargs)
`;
